"""What is packed comes back as it was; what does not is counted as other."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.pipeline.conftest import Made

from impromptu.conversation import Sample
from impromptu.files import read_json
from impromptu.pipeline import sharing
from impromptu.pipeline.sharing import share
from impromptu.registry import REGISTRY, load_samples


@pytest.fixture
def packs() -> None:
    pytest.importorskip("webdataset", reason="needs the shards extra: webdataset")


@pytest.mark.usefixtures("packs")
def test_every_sample_comes_back(made: Made, tmp_path: Path) -> None:
    account = share(made.samples, tmp_path, 1, lambda _: None)
    samples = load_samples(made.samples, [*read_json(made.samples / REGISTRY)])
    train, val = account.rows
    assert (train[0], val[0]) == ("train", "val")
    assert sum(int(row[2] or 0) for row in account.rows) == len(samples)
    for _, logs, packed, dropped, back, same in account.rows:
        assert logs and packed == back == same and dropped == "none"


@pytest.mark.usefixtures("packs")
def test_an_answer_that_changed_on_the_way_is_not_the_same(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(folder: Path, names: list[str]) -> list[Sample]:
        found = load_samples(folder, names)
        if folder.name == "data":
            first = found[0]
            found[0] = Sample(first.id, first.images, first.prompt, first.answer + ".")
            found.pop()
        return found

    monkeypatch.setattr(sharing, "load_samples", load)
    for _, _, packed, _, back, same in share(made.samples, tmp_path, 1, lambda _: None).rows:
        assert isinstance(packed, int)
        assert (back, same) == (packed - 1, packed - 2)


def test_without_webdataset_the_line_to_type_is_said(
    without: Callable[[str], None], tmp_path: Path
) -> None:
    without("webdataset")
    told = list[str]()
    account = share(tmp_path / "none", tmp_path, 1, told.append)
    assert told == list(account.remarks) and not account.rows
    assert told[0].endswith("it needs webdataset, pip install 'impromptu-vla[shards]'")
    assert not list(tmp_path.iterdir())
