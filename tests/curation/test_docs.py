"""Every command of docs/curation.md runs, in order, where a user would be."""

import re
import shlex
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from impromptu.chat_server import served
from impromptu.cli import main
from impromptu.clip_table import read
from impromptu.miniature.teacher import Teacher
from impromptu.miniature.truth import truths
from impromptu.miniature.unusual import Curator, plant

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/curation.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    impromptu (.*)$", PAGE, re.MULTILINE)


@pytest.mark.slow
def test_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    shutil.copytree(ROOT / "data_qa_generate", tmp_path / "data_qa_generate")
    monkeypatch.chdir(tmp_path)
    url = ""
    with ExitStack() as stack:
        for command in COMMANDS:
            if command.startswith("miniature-teacher"):
                # It serves until it is interrupted: the same, beside this test, at another port.
                assert command.endswith("--samples build/keyframes --port 8100 &")
                known = truths(Path("build/keyframes"))
                teacher = Teacher(known, curator=Curator(plant(known)))
                url = stack.enter_context(served(teacher))
                continue
            assert main(shlex.split(command.replace("http://127.0.0.1:8100/v1", url))) == 0
    tables = sorted(Path("build/unstructured/clips").glob("*.parquet"))
    kept = Path("build/curated/kept.jsonl").read_text().splitlines()
    assert sum("temporary_rules" in tags for path in tables for tags in read(path).tags) == len(
        kept
    )
    assert kept


def test_every_fate_is_explained() -> None:
    from impromptu.curation.funnel import REASONS

    assert all(f"`{fate}`" in PAGE for fate in REASONS)
