"""Every command of docs/preflight.md runs, in order, in a copy of what a user clones."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/preflight.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    (impromptu .*)$", PAGE, re.MULTILINE)


@pytest.mark.train
@pytest.mark.slow
def test_commands_run(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the train extra: torch")
    for name in ("train", "data"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("nuscenes_train.json", "nuscenes_test.json"):
        shutil.copy(ROOT / name, tmp_path)
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "HF_HUB_OFFLINE": "1"}
    codes = []
    for command in COMMANDS:
        words = [sys.executable, "-m", *shlex.split(command)]
        done = subprocess.run(
            words, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True
        )
        assert "Traceback" not in done.stderr, done.stderr
        codes.append(done.returncode)
    assert codes == [0, 0, 0, 1, 1]  # nothing lost; cut at 300 tokens; no such model offline
