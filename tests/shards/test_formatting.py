import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.questions import AnswerError, trajectory
from impromptu.shards import formatting
from impromptu.shards.formatting import format_split
from impromptu.shards.record_lines import RecordWriter, dumped, parts, record_lines

TEN = ", ".join(f"[{at}.00, -0.10]" for at in range(10))


def record(prompt: str, answer: str, images: int = 1, name: str = "kitti/s/0/q7") -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
    return {"id": name, "images": ["../a b/0.front.png"] * images, "messages": messages}


def write(tmp_path: Path, task: str, rows: list[Any], indent: int | None = None) -> Path:
    path = tmp_path / f"train/kitti/{task}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if indent:
        path.write_text(json.dumps(rows, indent=indent), encoding="utf-8")
    else:
        lines = ",\n".join(dumped(row).decode() for row in rows)
        path.write_text(f"[\n{lines}\n]\n" if rows else "[\n]\n", encoding="utf-8")
    return path


def answers(path: Path) -> list[str]:
    return [row["messages"][1]["content"] for row in json.loads(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize(
    ("task", "answer", "wanted"),
    [
        (
            "q2",
            "Object 1: KEEP, STRAIGHT",
            "<DYNAMIC OBJECTS>Object 1: KEEP, STRAIGHT</DYNAMIC OBJECTS>",
        ),
        ("q6", 'KEEP,"STRAIGHT\\', '<SPEED PATH PLAN>KEEP,"STRAIGHT\\</SPEED PATH PLAN>'),
        ("q7", f"é {TEN}", f"<PLANNING>é {TEN}</PLANNING>"),
        ("q7", f"<PLANNING>{TEN}</PLANNING>", f"<PLANNING>{TEN}</PLANNING>"),
        ("q7", f"<PLANNING>{TEN}", f"<PLANNING>{TEN}"),
        ("q7", f"{TEN}</PLANNING>", f"{TEN}</PLANNING>"),
        ("q1", "No.", "No."),
        ("q5", "Fog\non the road", "Fog\non the road"),
    ],
)
def test_answers_get_the_tags_they_lack(
    task: str, answer: str, wanted: str, indent: int | None, tmp_path: Path
) -> None:
    path = write(tmp_path, task, [record("<image> go?", answer)], indent)
    format_split(tmp_path, "train", "keep", 1)
    assert answers(path) == [wanted]
    first = path.read_bytes()
    again = format_split(tmp_path, "train", "keep", 1)
    assert path.read_bytes() == first
    assert not again.tagged.total()


def test_a_file_that_is_so_already_is_not_touched(tmp_path: Path) -> None:
    path = write(tmp_path, "q1", [record("<image> who?", "No.")])
    before = path.stat()
    format_split(tmp_path, "train", "keep", 1)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("indent", [None, 4])
def test_what_training_would_stop_at_is_dropped_and_counted(
    indent: int | None, tmp_path: Path
) -> None:
    good = record("<image> go?", f"<PLANNING>{TEN}</PLANNING>")
    rows: list[Any] = [good, record("go?", TEN), record("<image><image>", TEN), record("", TEN)]
    rows += [{"id": "x", "images": [], "messages": [{"role": "user"}]}, ["no"], 7]
    path = write(tmp_path, "q7", rows, indent)
    result = format_split(tmp_path, "train", "keep", 2)
    assert result.counts["kitti"]["q7"] == {"written": 1, "image_marks": 3, "not_sharegpt": 3}
    assert json.loads(path.read_text()) == [good]


@pytest.mark.parametrize(("invalid", "kept"), [("keep", 4), ("drop", 1)])
def test_answers_that_do_not_answer(invalid: Any, kept: int, tmp_path: Path) -> None:
    nine = TEN.rpartition(", [")[0]
    rows = [record("<image>", text) for text in (TEN, nine, f"{TEN}, [1.00, 1.00]", "straight on")]
    path = write(tmp_path, "q7", rows)
    result = format_split(tmp_path, "train", invalid, 1)
    assert result.invalid["kitti"]["q7"] == {"number_of_waypoints": 3}
    counter = result.counts["kitti"]["q7"]
    assert len(answers(path)) == counter["written"] == kept
    assert counter.total() == 4
    told = json.loads((tmp_path / "train/manifest.json").read_text())["format"]
    assert told[f"answers_that_do_not_answer_{invalid}"]["kitti"]["q7"] == {
        "number_of_waypoints": 3
    }


def test_a_missing_file_and_a_list_without_end_are_told(tmp_path: Path) -> None:
    path = write(tmp_path, "q4", [record("<image>", "Red"), record("<image>", "Green")])
    path.write_bytes(path.read_bytes()[:-30])
    result = format_split(tmp_path, "train", "keep", 1)
    assert result.counts["kitti"]["q4"] == {"written": 1, "not_json": 1, "cut_short": 1}
    assert len(result.missing) == 6
    with pytest.raises(FileNotFoundError, match=r"expected <dataset>/q1.json .*data_organize.py"):
        format_split(tmp_path, "val", "keep", 1)


@pytest.mark.parametrize("content", [b"", b"\x00\xff garbage", b'{"not": "a list"}'])
def test_a_file_without_any_record_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, "q6", [])
    path.write_bytes(content)
    result = format_split(tmp_path, "train", "keep", 1)
    assert result.counts["kitti"]["q6"].total() >= 1
    assert result.counts["kitti"]["q6"]["written"] == 0
    assert path.read_bytes() == content


def test_a_disk_that_is_full_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "q6", [record("<image>", "KEEP,STRAIGHT")])
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RecordWriter, "write", full)
    with pytest.raises(OSError, match="No space") as raised:
        format_split(tmp_path, "train", "keep", 1)
    assert raised.value.filename == str(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["q6.json"]


POINTS = st.lists(
    st.sampled_from(["[1.00, 2.00]", "[-3.5, 0.25]", "[x, y]", "[1, 2]", "[1.0]", "<", "no"])
)


@given(POINTS, st.sampled_from(["", "at [x, y]: ", "<PLANNING>", "in 10 "]))
def test_the_quick_look_at_waypoints_passes_nothing_that_cannot_be_read(
    points: list[str], before: str
) -> None:
    answer = before + ", ".join(points)
    try:
        trajectory.read(answer)
        reason = ""
    except AnswerError as error:
        reason = error.reason
    assert formatting._fault("q7", answer) == reason


TEXT = st.text(st.sampled_from('"\\{}[]:, éa\n\t<image>'), max_size=25)


@given(TEXT, TEXT, st.lists(TEXT.filter(bool), max_size=3), TEXT)
def test_a_line_is_cut_where_json_would_cut_it(
    prompt: str, answer: str, images: list[str], name: str
) -> None:
    row = record(prompt, answer, name=name) | {"images": images, "preset": "released"}
    cut = parts(dumped(row))
    assert cut is not None
    assert json.loads(b'"%s"' % cut.prompt) == prompt
    assert json.loads(b'"%s"' % cut.answer) == answer
    assert cut.images == len(images)
    assert cut.before + cut.answer + cut.after == dumped(row)


@given(st.lists(st.builds(record, TEXT, TEXT), max_size=4))
def test_lines_of_any_layout_are_the_same(rows: list[dict[str, Any]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (
            write(Path(folder, name), "q1", rows, i) for name, i in (("a", None), ("b", 2))
        )
        assert [*record_lines(ours)] == [*record_lines(theirs)] == [dumped(row) for row in rows]


def test_the_counts_of_the_two_ways_are_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line is cut or, where that fails, read: the same comes of it."""
    rows = [
        record("<image> é", TEN),
        record("<image>", "x"),
        record("", TEN),
        record("<image>", f"{TEN}</PLANNING>"),
    ]
    quick = write(tmp_path / "a", "q7", rows)
    slow = write(tmp_path / "b", "q7", rows)
    first = format_split(tmp_path / "a", "train", "keep", 1)
    monkeypatch.setattr(formatting, "parts", lambda line: None)
    second = format_split(tmp_path / "b", "train", "keep", 1)
    assert quick.read_bytes() == slow.read_bytes()
    assert first.counts == second.counts == {"kitti": {"q7": Counter(written=3, image_marks=1)}}
    assert first.invalid == second.invalid
