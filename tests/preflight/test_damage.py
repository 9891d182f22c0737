"""Data files damaged at random: never an error of ours, and every record is counted once."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impromptu.conversation import registry_entry
from impromptu.preflight.examine import Job
from impromptu.preflight.fates import SKIPPED, STOPS
from impromptu.preflight.plan import Plan
from impromptu.preflight.reading import Reading
from impromptu.preflight.sources import find_sources
from impromptu.preflight.summary import lengths, overview, samples

from .conftest import SIZES, sample, shown, write_images

ROWS = [shown(f"d/l/{n}/q6", name, answer="KEEP,STRAIGHT") for n, name in enumerate(SIZES)]
WHOLE = json.dumps([*ROWS, sample("é"), sample("x", "東京")], ensure_ascii=False, indent=1).encode()
PIECES = [b'"', b"[", b"]", b"{", b"}", b",", b":", b"\\", b"\\ud800", b"null", b"1e999", b"\xff"]
PIECES += [b"[" * 2_000, b"<image>", b"\x00", b"NaN", b"9" * 5_000, b"\n{", b'"role": 3,']

edits = st.lists(
    st.tuples(
        st.integers(0, len(WHOLE)),
        st.integers(0, 40),
        st.sampled_from(PIECES) | st.binary(max_size=9),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("damage")
    write_images(made)
    registry = {"x_train": registry_entry("x_train.json")}
    (made / "dataset_info.json").write_text(json.dumps(registry))
    return made


def read(folder: Path, data: bytes) -> Reading:
    (folder / "x_train.json").write_bytes(data)
    plan = Plan(folder / "t.yaml", {}, dataset=("x_train",), dataset_dir=str(folder))
    reading = Reading(plan, find_sources(plan, None).datasets)
    reading.read(Job(None, str(folder)), workers=1)
    assert list(samples(plan, reading))
    list(lengths(plan, reading))
    overview(plan, reading, 1)
    for check in reading.checks.values():
        list(check.findings())
    return reading


def counted_once(reading: Reading) -> bool:
    seen = reading.seen["x_train"]
    lost = sum(seen.fates[reason] for reason in (*STOPS, *SKIPPED))
    return seen.records == seen.read == seen.trained + lost == reading.tally.seen


def test_the_whole_file_is_read(folder: Path) -> None:
    assert read(folder, WHOLE).seen["x_train"].trained == len(ROWS) + 2


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits)
def test_any_damage_is_counted(folder: Path, changes: list[tuple[int, int, bytes]]) -> None:
    data = bytearray(WHOLE)
    for at, length, piece in changes:
        data[at : at + length] = piece
    assert counted_once(read(folder, bytes(data)))


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, len(WHOLE)))
def test_a_file_cut_anywhere_stops_the_training(folder: Path, at: int) -> None:
    reading = read(folder, WHOLE[:at])
    assert counted_once(reading)
    if at < len(WHOLE.rstrip()):
        seen = reading.seen["x_train"]
        assert seen.fates["cut_short"] + seen.fates["not_json"] or not seen.records


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "messages", "images", "role", "content", "user", ""]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(json_values, max_size=6))
def test_rows_of_any_shape_are_counted(folder: Path, rows: list[object]) -> None:
    assert counted_once(read(folder, json.dumps(rows).encode()))
