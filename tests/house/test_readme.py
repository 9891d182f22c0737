"""Every command of the README runs, or is parsed as far as a machine without a GPU can."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    [line for line in block.splitlines() if line.strip()]
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
]
NEEDS_DATA_OR_GPU = BLOCKS[1]


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a user clones."""
    copy = tmp_path_factory.mktemp("readme") / "impromptu"
    for folder in ("scripts", "train", "data_qa_generate", "data"):
        shutil.copytree(ROOT / folder, copy / folder)
    return copy


def test_commands_that_need_nothing_run_in_order(checkout: Path) -> None:
    for command in BLOCKS[0]:
        done = subprocess.run(
            shlex.split(command), cwd=checkout, env=_environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (checkout / "build/accuracy.json").is_file()


@pytest.mark.slow
def test_commands_of_the_report_page_run_after_them(checkout: Path) -> None:
    page = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    if not (checkout / "build/answers").exists():
        test_commands_that_need_nothing_run_in_order(checkout)
    for command in "".join(blocks).splitlines():
        done = subprocess.run(
            shlex.split(command), cwd=checkout, env=_environment(), capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert (checkout / "build/report.html").is_file()
    assert (checkout / "build/driven.html").is_file()
    assert (checkout / "build/tables/tables.tex").is_file()


@pytest.mark.parametrize("command", NEEDS_DATA_OR_GPU, ids=lambda command: command[:40])
def test_commands_that_need_data_or_a_gpu_are_understood(command: str, checkout: Path) -> None:
    """Their files exist and their flags are known; without data the answer is one clear line."""
    words = shlex.split(command)
    if "llamafactory-cli" in words:
        assert (ROOT / words[-1]).is_file(), "tests/train parses it with LLaMA-Factory itself"
        return
    done = subprocess.run(words, cwd=checkout, env=_environment(), capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    if "preflight" in words:  # what it is for: to say that this training would fail
        assert done.returncode == 1
        assert "do not start" in done.stdout
        return
    assert done.returncode == 2
    assert "unrecognized arguments" not in done.stderr
    assert "error: " in done.stderr


@pytest.mark.parametrize("target", ["demo", "test"])
def test_make_knows_the_two_commands(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"    make {target} " in README


def test_every_folder_in_the_table_is_there() -> None:
    paths = re.findall(r"^\| \[?`([^`]+)`\]?", README, re.MULTILINE)
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
