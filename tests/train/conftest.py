"""Samples of every dataset, and LLaMA-Factory in a process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from impromptu import miniature
from impromptu.cli import main
from impromptu.conversation import registry_entry

ROOT = Path(__file__).parents[2]

# Runs each (command, arguments) in one process: importing LLaMA-Factory takes longer than a step.
# The hook is called here so that the tests need no prepared environment.
_RUN = """
import json, sys
from impromptu import torch_cpu
torch_cpu.hook()
from llamafactory.train.tuner import export_model, run_exp
for command, arguments in json.loads(sys.argv[1]):
    sys.argv[1:] = arguments
    print(command, arguments[0], file=sys.stderr, flush=True)
    run_exp() if command == "train" else export_model()
"""


@pytest.fixture(scope="session")
def llamafactory() -> Callable[..., None]:
    """Run LLaMA-Factory: (command, YAML, overrides) one after the other, in one process."""
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")

    def run(*commands: tuple[str, Path, dict[str, Any]]) -> None:
        told = [
            (command, [str(path), *(f"{key}={value}" for key, value in overrides.items())])
            for command, path, overrides in commands
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}  # threads only get in each other's way
        call(["-c", _RUN, json.dumps(told)], environment)

    return run


def call(arguments: Sequence[str], environment: dict[str, str]) -> str:
    """Run Python from the repository root; return what it said, or fail with the end of it."""
    done = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What generating with all defaults writes, from miniatures of all datasets without images.

    The planning samples are registered as ``nuscenes_train``, too, as in ``data/``.
    """
    raw, out = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("samples")
    miniature.write(raw, logs=1, images=False)
    command = ["generate", "--data_raw", str(raw), "--out", str(out), "--workers", "1"]
    assert main([*command, "--missing_images", "keep"]) == 0
    registry = json.loads((out / "dataset_info.json").read_text(encoding="utf-8"))
    registry["nuscenes_train"] = registry_entry("nuscenes_planning_train.json")
    (out / "dataset_info.json").write_text(json.dumps(registry), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def illustrated(generated: Path) -> Path:
    """The same, with a small image for each that is named."""
    for path in generated.glob("**/*_train.json"):
        for sample in json.loads(path.read_text(encoding="utf-8")):
            for name in sample["images"]:
                image = generated / name
                if not image.exists():
                    image.parent.mkdir(parents=True, exist_ok=True)
                    Image.new("RGB", (160, 90), (90, 120, 60)).save(image, format="JPEG")
    return generated
