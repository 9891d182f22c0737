import json
import math
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from impromptu.explorer import query
from impromptu.explorer.index import Index, prepare
from impromptu.explorer.query import Filters, Place


def found(index: Index, page: int = 1, /, **filters: str) -> list[str]:
    with index.open() as con:
        rows = query.page(con, Filters.read(filters), page)
        if page == 1 and len(rows) < query.PAGE:
            assert query.count(con, Filters.read(filters)) == len(rows)
        return [row["clip" if "by" in filters else "id"] for row, _ in rows]


def problems(index: Index) -> list[str]:
    with index.open() as con:
        return query.problems(con)


def q7(*numbers: int) -> list[str]:
    return [f"kitti/0001/{n:06d}/q7" for n in numbers]


def test_everything_is_found_in_the_order_of_the_files(index: Index) -> None:
    q6 = [f"kitti/0001/{n:06d}/q6" for n in (0, 1)]
    assert found(index) == q6 + q7(*range(23))
    assert found(index, 2) == q7(*range(23, 30)) + ["kitti/0001/000000/q5/front"]
    assert found(index, 3) == []
    assert problems(index) == []
    assert index.is_built()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"question": "q6"}, ["kitti/0001/000000/q6", "kitti/0001/000001/q6"]),
        ({"question": "q5"}, ["kitti/0001/000000/q5/front"]),
        ({"question": "q5", "split": "train"}, []),
        ({"dataset": "nuscenes"}, []),
        ({"speed": "STOP"}, ["kitti/0001/000001/q6", "kitti/0001/000001/q7"]),
        ({"path": "STRAIGHT", "question": "q7"}, q7(0)),
        ({"clip": "kitti/0001/000007"}, q7(7)),
        ({"text": "000012"}, q7(12)),
        ({"text": "descr FRONT"}, ["kitti/0001/000000/q5/front"]),
        ({"text": "document.title <script>"}, ["kitti/0001/000001/q6"]),
        ({"text": 'kitti" OR "x'}, []),
        ({"run": "far", "state": "unreadable"}, q7(3)),
        ({"run": "far", "state": "missing"}, q7(4)),
        ({"state": "failed"}, q7(5)),
        ({"state": "wrong"}, ["kitti/0001/000001/q6"]),
        ({"run": "far", "state": "wrong"}, []),
        # n x 0.1 m a step, over ten steps: 0.55 n metres in the mean.
        ({"error_m": "15.3", "order": "error"}, q7(29, 28)),
        ({"run": "words", "order": "error"}, ["kitti/0001/000000/q6", "kitti/0001/000001/q6"]),
        ({"by": "clip", "question": "q6"}, ["kitti/0001/000000", "kitti/0001/000001"]),
    ],
)
def test_filters(index: Index, filters: Mapping[str, str], expected: list[str]) -> None:
    assert found(index, **filters) == expected


def test_errors_are_the_mean_distances(index: Index) -> None:
    with index.open() as con:
        rows = con.execute(
            "SELECT s.id, error_m FROM answer JOIN sample s ON s.n = sample WHERE state = 'path'"
        ).fetchall()
    assert len(rows) == 27
    for name, error_m in rows:
        assert math.isclose(error_m, 0.55 * int(name.split("/")[2]), abs_tol=1e-9)


def test_choices_count_what_they_lead_to(index: Index) -> None:
    with index.open() as con:
        choices = query.choices(con)
    assert choices["question"] == [("q5", 1), ("q6", 2), ("q7", 30)]
    assert choices["dataset"] == [("kitti", 33)]
    assert dict(choices["state"]) == {
        "path": 27, "unreadable": 1, "missing": 1, "failed": 1, "right": 1, "wrong": 1,
    }  # fmt: skip
    assert [name for name, _ in choices["run"]] == ["far", "words"]


@pytest.mark.parametrize("filters", [{}, {"question": "q7"}, {"run": "far", "order": "error"}])
def test_neighbours_are_those_of_the_list(index: Index, filters: dict[str, str]) -> None:
    with index.open() as con:
        kept = Filters.read(filters)
        listed = [row["n"] for page in (1, 2) for row, _ in query.page(con, kept, page)]
        assert len(listed) == query.count(con, kept)
        for at, number in enumerate(listed):
            before = listed[at - 1] if at else None
            after = listed[at + 1] if at + 1 < len(listed) else None
            assert query.around(con, kept, number) == Place(at + 1, len(listed), before, after)


def test_a_sample_that_does_not_pass_has_no_place(index: Index) -> None:
    with index.open() as con:
        assert query.around(con, Filters(question="q6"), 3) == Place(0, 0, None, None)


def test_filters_survive_the_address() -> None:
    assert Filters(text="a&b", run="x").address(page=2, run="") == "text=a%26b&page=2"
    with pytest.raises(ValueError, match="could not convert"):
        Filters.read({"error_m": "many"})


def test_a_second_start_reads_nothing_again(index: Index, folder: Path, predictions: Path) -> None:
    index.lock and index.lock.close()
    with index.open() as con:
        con.execute("UPDATE sample SET id = 'marked' WHERE n = 1")
        con.commit()
    again = prepare(folder, [predictions], index.path.parent)
    assert again.path == index.path and again.is_built()
    again.build()
    assert found(again)[0] == "marked"


def test_other_predictions_take_over_the_samples(index: Index, folder: Path) -> None:
    with index.open() as con:
        con.execute("UPDATE sample SET id = 'marked' WHERE n = 1")
        con.commit()
        con.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    without = prepare(folder, [], index.path.parent)
    assert without.path != index.path
    without.build()
    assert found(without)[0] == "marked"
    assert found(without, state="wrong") == []
    with without.open() as con:
        assert query.choices(con)["run"] == []


def test_changed_samples_are_read_again(index: Index, folder: Path, predictions: Path) -> None:
    path = folder / "kitti/q6_val.json"
    path.write_text(path.read_text().replace("000001/q6", "000002/q6"))
    again = prepare(folder, [predictions], index.path.parent)
    again.build()
    assert "kitti/0001/000002/q6" in found(again)


def test_an_index_that_a_kill_left_half_done_is_begun_again(folder: Path, tmp_path: Path) -> None:
    torn = prepare(folder, [], tmp_path / "cache")
    assert torn.lock is not None
    with closing(sqlite3.connect(torn.path)) as con:
        con.execute("INSERT INTO problem VALUES ('file', 'half')")
        con.commit()
    torn.lock.close()
    whole = prepare(folder, [], tmp_path / "cache")
    whole.build()
    assert problems(whole) == [] and len(found(whole)) == query.PAGE


def test_two_at_once_build_one_index(folder: Path, tmp_path: Path) -> None:
    first = prepare(folder, [], tmp_path / "cache")
    second = prepare(folder, [], tmp_path / "cache")
    assert second.lock is None
    second.build()
    assert not second.is_built()
    assert found(second) == []
    first.build()
    assert second.is_built() and len(found(second)) == query.PAGE


def test_what_cannot_be_read_is_told_and_the_rest_is_shown(tmp_path: Path) -> None:
    data = tmp_path / "theirs"
    data.mkdir()
    good = {"conversations": [{"from": "human", "value": "why?"}, {"from": "gpt", "value": "so"}]}
    (data / "mixed.json").write_text(json.dumps([good, {"text": "no"}, good, 7]))
    (data / "torn.jsonl").write_text(json.dumps(good) + '\n{"conv')
    built = prepare(data, [], tmp_path / "cache")
    built.build()
    assert found(built) == ["mixed#1", "mixed#3", "torn#1"]
    mixed, torn = problems(built)
    assert "2 of 4 records are no samples: record 2: no list of 'messages'" in mixed
    assert "torn.jsonl: byte" in torn


def test_predictions_that_cannot_be_joined_are_counted(folder: Path, tmp_path: Path) -> None:
    name, answer = "kitti/0001/000000/q6", "KEEP,STRAIGHT"
    rows: list[object] = [
        {"id": name, "predict": answer},
        {"id": name, "predict": answer},
        {"id": "nobody", "predict": answer},
        {"predict": answer},
        {"id": name, "predict": None},
        7,
    ]
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + '\n{"id": "torn')
    built = prepare(folder, [path], tmp_path / "cache")
    built.build()
    told = "\n".join(problems(built))
    assert "1 predictions are of ids that no sample here has" in told
    assert "1 predictions come a second time" in told
    assert "1 predictions have no 'id'" in told
    assert "2 predictions have no text in 'predict'" in told
    assert "not valid JSON" in told
    assert found(built, state="right") == [name]
    assert found(built, state="missing") == ["kitti/0001/000001/q6"]


def test_a_clip_table_gives_tags_and_meta_actions(folder: Path, tmp_path: Path) -> None:
    table = {
        "id": ["kitti/0001/000002", "kitti/0001/000001", "kitti/0001/000099"],
        "speed_word": ["ACCELERATE", "KEEP", None],
        "path_word": ["LEFT_CHANGE", "STRAIGHT", None],
        "tags": [[("weather", "rain")], [("weather", "dry")], None],
    }
    types = [pa.string()] * 3 + [pa.map_(pa.string(), pa.string())]
    schema = pa.schema(list(zip(table, types, strict=True)))
    (folder / "clips").mkdir()
    parquet.write_table(pa.table(table, schema), folder / "clips/kitti_val.parquet")
    (folder / "clips/other.parquet").write_bytes(b"no table")
    built = prepare(folder, [], tmp_path / "cache")
    built.build()
    assert found(built, tag="weather=rain") == q7(2)
    assert found(built, path="LEFT_CHANGE") == q7(2)
    assert found(built, speed="STOP", question="q7") == q7(1), "the answer to q6 goes first"
    (told,) = problems(built)
    assert "other.parquet: not a clip table" in told
