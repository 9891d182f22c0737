"""Two drives of one camera, with every question asked of them and answered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest

from impromptu import miniature
from impromptu.generation import generate
from impromptu.part import Recipe
from impromptu.pipeline.teaching import have_answered


@dataclass
class Made:
    """A generated folder.

    Attributes:
        told: What was said on the way.
    """

    data_raw: Path
    samples: Path
    told: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    folder = tmp_path_factory.mktemp("pipeline")
    one = Made(folder / "raw", folder / "samples")
    miniature.write(one.data_raw, datasets=["kitti"], logs=3, duration_s=8.0)
    asked = ("meta_action", "traffic_light", "trajectory")
    generate(one.data_raw, one.samples, ["kitti"], None, Recipe(asked), 1)
    have_answered(one.samples, one.told.append)
    return one


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have a package look as if it were not installed."""

    def hide(package: str) -> None:
        monkeypatch.setattr(
            "impromptu.pipeline.extras.find_spec",
            lambda name: None if name == package else find_spec(name),
        )

    return hide
