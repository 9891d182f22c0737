from pathlib import Path

import pytest

from impromptu import plugins, questions
from impromptu.cli import main
from impromptu.curation import asked
from impromptu.preset import STRICT
from impromptu.prompts_page import page
from impromptu.questions import Question
from impromptu.wording import load_wording

PAGE = Path(__file__).parents[1] / "prompts.md"


def test_the_page_in_the_repository_is_not_stale() -> None:
    assert PAGE.read_text() == page(load_wording(None, STRICT)), "run `impromptu prompts`"


def test_every_template_and_an_example_of_every_question_is_shown() -> None:
    wording = load_wording(None, STRICT)
    text = page(wording)
    for name, template in wording.templates.items():
        assert template in text or f"`{name}`" in text
    for name in plugins.names(questions):
        question = plugins.load(questions, name, Question)
        section = text.partition(f"## {question.task}: ")[2].partition("\n## ")[0]
        assert section.count("Example:") == 1
        assert section.count("Answer:") == (question.truth is not None)


def test_every_question_of_curation_is_shown() -> None:
    templates = asked.templates()
    assert list(templates) == ["describe", "identify", "propose", "label", "repair"]
    text = page(load_wording(None, STRICT)).partition("# Curation")[2]
    for name, template in templates.items():
        section = text.partition(f"## {name}: ")[2].partition("\n## ")[0]
        assert f"```text\n{template.strip()}\n```" in section


def test_the_command_writes_it_in_a_users_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, out = tmp_path / "mine.yaml", tmp_path / "page.md"
    mine.write_text("q4: {prompt: '<image> Which light?'}")
    assert main(["prompts", "--wording", str(mine), "--out", str(out)]) == 0
    assert "Which light?" in out.read_text()
    assert str(out) in capsys.readouterr().out
