"""Published rows: each in its own convention, converted only where that is exact."""

import json
from pathlib import Path

import pytest

from impromptu.answer_files import join
from impromptu.answer_pairs import Pair
from impromptu.evaluation import Options, evaluate
from impromptu.files import write_json_list
from impromptu.metrics import __path__ as _metrics_path
from impromptu.report import Run, SampleFile, published, sample_files

METRICS = {path.stem for path in Path(_metrics_path[0]).glob("l2_*.py")}


def planning(tmp_path: Path, count: int, task: str = "planning", points: int = 6) -> SampleFile:
    """A file of samples that drive on by 1 m a step, and a run 0.3 m to the left.

    It is mute twice, and then far off once.
    """
    places = [", ".join(f"[{k}.0, {y}]" for k in range(1, points + 1)) for y in (0.0, 0.3, 99.0)]
    true, said, far = (f"<PLANNING>{one}</PLANNING>" for one in places)
    roles = [{"role": "user", "content": "?"}, {"role": "assistant", "content": true}]
    rows = [{"id": str(k), "images": [], "messages": roles} for k in range(count)]
    write_json_list(tmp_path / "t.json", rows)
    texts = ["?", "?", far, *[said] * (count - 3)]
    lines = [json.dumps({"id": str(k), "predict": one}) for k, one in enumerate(texts)]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    joined = join(Pair(task, tmp_path / "t.json", tmp_path / "p.jsonl"))
    return sample_files([Run("mine", "", [evaluate(joined, Options(resamples=0))])])[0]


def test_every_row_names_its_source_and_a_convention_we_have() -> None:
    assert len(published.printed()) == 27
    assert {row.convention for row in published.printed()} <= METRICS
    assert all(row.source.startswith("arXiv:") for row in published.printed())


def test_means_within_each_second_become_means_up_to_it() -> None:
    # By hand: 0.28, (0.28 + 0.93) / 2, (0.28 + 0.93 + 2.02) / 3, and their mean.
    assert published.to_stp3([0.28, 0.93, 2.02]) == pytest.approx(
        [0.28, 0.605, 1.0767, 0.6539], abs=1e-4
    )


@pytest.mark.parametrize("count", [published.COMPLETE, published.KEYFRAMES])
def test_of_the_whole_split_each_convention_has_its_own_block(tmp_path: Path, count: int) -> None:
    file = planning(tmp_path, count)
    assert published.not_comparable(file) == ""
    by_name = {block.convention: block.lines for block in published.blocks(file)}
    assert set(by_name) == {"l2_stp3", "l2_lightemma", "l2_openemma"}
    for convention, lines in by_name.items():
        assert (lines[0].method, lines[0].source) == ("mine", "")
        # One convention leaves out what is 10 m off in the first second.
        over = count - (3 if convention == "l2_openemma" else 2)
        assert lines[0].samples == f"{over:,} of {count:,} samples", "not shown as if of all"
        rows = [line for line in lines if line.source and not line.converted_from]
        assert [line.method for line in rows] == [
            row.method for row in published.printed() if row.convention == convention
        ]
    # 99 m off once, 0.3 m else.
    mean_m = (99 + 0.3 * (count - 3)) / (count - 2)
    assert by_name["l2_stp3"][0].cells == [f"{mean_m:.3f}"] * 4
    assert [float(cell) for cell in by_name["l2_openemma"][0].cells[1:3]] == [0.3, 0.3]
    converted = [line for line in by_name["l2_stp3"] if line.converted_from]
    assert {line.converted_from for line in converted} == {"l2_lightemma"}
    assert next(one.cells for one in converted if one.method == "GPT-4o") == [
        "0.28",
        "0.61",
        "1.08",
        "0.65",
    ]
    assert not any(
        line.converted_from for name in ("l2_lightemma", "l2_openemma") for line in by_name[name]
    )


@pytest.mark.parametrize(
    ("task", "points", "words"),
    [("planning", 6, "5,119 validation samples"), ("q7", 10, "nuScenes planning set")],
)
def test_of_anything_else_it_is_said_why_not(
    tmp_path: Path, task: str, points: int, words: str
) -> None:
    assert words in published.not_comparable(planning(tmp_path, 9, task, points))
