"""What the demo tells of a teacher's answers and of curation adds up, with and without packages."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from tests.pipeline.conftest import Made

from impromptu.chosen_clips import load_chosen
from impromptu.curation.choosing import KEPT
from impromptu.files import read_json
from impromptu.pipeline.teaching import curate, have_answered
from impromptu.registry import REGISTRY, load_samples


def test_every_prompt_has_an_answer_in_the_end(made: Made) -> None:
    told = list[str]()
    account = have_answered(made.samples, told.append)
    (_, prompts, samples, dropped), last = account.rows
    assert prompts == samples == last[1] == last[2] and dropped == last[3] == "none"
    names = [name for name in read_json(made.samples / REGISTRY) if "_q4_" in name]
    assert samples == len(load_samples(made.samples, names)) > 0
    # The first run of all met a teacher that fails now and then.
    first = next(line for line in made.told if "without an answer" in line)
    assert "without an answer: none" not in first


def test_curation_accounts_for_every_keyframe(made: Made, tmp_path: Path) -> None:
    told = list[str]()
    account = curate(made.data_raw, made.samples, tmp_path, 1, told.append)
    assert all(row[1] == row[2] + row[3] for row in account.rows)  # type: ignore[operator]
    assert all(before[3] == after[1] for before, after in pairwise(account.rows))
    kept = load_chosen(tmp_path / KEPT).tags
    assert account.rows[-1][3] == len(kept) > 0
    asked = read_json(tmp_path / "data_qa_results" / REGISTRY)
    clips = {
        sample.id.rpartition("/")[0]
        for sample in load_samples(tmp_path / "data_qa_results", [*asked])
    }
    assert clips and clips <= set(kept)


@pytest.mark.parametrize("step", ["answers", "curation"])
def test_without_openai_the_line_to_type_is_said_and_nothing_done(
    step: str, without: Callable[[str], None], tmp_path: Path
) -> None:
    without("openai")
    told = list[str]()
    if step == "answers":
        account = have_answered(tmp_path / "none", told.append)
    else:
        account = curate(tmp_path, tmp_path / "none", tmp_path / "out", 1, told.append)
    assert told == list(account.remarks) and not account.rows
    assert told[0].endswith("it needs openai, pip install 'impromptu-vla[openai]'")
    assert not list(tmp_path.iterdir())
