"""IDD and Mapillary SLS with any damage to their tables: told by file, or every row accounted."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impromptu.clip import Clip
from impromptu.datasets import Dropped, LogError, idd, mapillary_sls

FIELDS = (
    "",
    "x",
    "-1",
    "nan",
    "1e308",
    "0",
    "../../a",
    "9" * 25,
    '"',
    "23-59-59-999999",
    "é",
    "True",
)
IDD_TABLE = ["timestamp,image_idx,latitude,longitude"] + [
    f"10-00-{k // 15:02d}-{k % 15 * 66_000:06d},{k:07d},17.4,{78.4 + 7e-6 * k:.7f}"
    for k in range(60)
]
MAPILLARY_TABLES = {
    "seq_info": ["key,sequence_key,frame_number", *(f"k{k},s,{k}" for k in range(12))],
    "postprocessed": [
        "key,easting,northing,view_direction",
        *(f"k{k},{7e5 + 4 * k},3e6,Forward" for k in range(12)),
    ],
    "raw": ["key,pano", *(f"k{k},False" for k in range(12))],
}


@st.composite
def damages(draw: st.DrawFn) -> Callable[[list[str]], str]:
    """Draw what to do to a table: fields replaced, rows cut, listed twice, swapped, or bytes."""
    cells = draw(
        st.lists(
            st.tuples(st.integers(0, 60), st.integers(0, 3), st.sampled_from(FIELDS)), max_size=6
        )
    )
    rows = draw(st.lists(st.tuples(st.sampled_from("xds"), st.integers(0, 60)), max_size=4))
    kept = draw(st.none() | st.integers(0, 2000))

    def damage(lines: list[str]) -> str:
        table = [line.split(",") for line in lines]
        for row, column, text in cells:
            line = table[row % len(table)]
            line[column % len(line)] = text
        for kind, place in rows:
            row = place % len(table)
            if kind == "d":
                table.append(table[row])
            elif kind == "s":
                table.append(table.pop(row))
            elif len(table) > 1:
                del table[row]
        return "\n".join(",".join(line) for line in table)[:kept]

    return damage


@settings(max_examples=150, deadline=None)
@given(damage=damages())
def test_idd(damage: Callable[[list[str]], str], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("idd")
    path = root / "primary/d0/train.csv"
    path.parent.mkdir(parents=True)
    path.write_text(damage(IDD_TABLE), encoding="utf-8")
    (log,) = idd.logs(root, root)
    try:
        found = list(idd.clips(log))
    except LogError as error:
        assert str(path) in str(error)
        return
    assert all(isinstance(item, Clip | Dropped) for item in found)
    assert len({item.id for item in found if isinstance(item, Clip)}) == sum(
        isinstance(item, Clip) for item in found
    )


@settings(max_examples=150, deadline=None)
@given(
    damage=damages(),
    name=st.sampled_from(sorted(MAPILLARY_TABLES)),
    rate_hz=st.sampled_from([None, 2.0]),
)
def test_mapillary(
    damage: Callable[[list[str]], str],
    name: str,
    rate_hz: float | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("mapillary")
    folder = root / "train_val/amman/query"
    folder.mkdir(parents=True)
    tables = {table: "\n".join(lines) for table, lines in MAPILLARY_TABLES.items()}
    tables[name] = damage(MAPILLARY_TABLES[name])
    for table, text in tables.items():
        (folder / f"{table}.csv").write_text(text, encoding="utf-8")
    logs = [replace(log, frames_hz=rate_hz) for log in mapillary_sls.logs(root, root)]
    try:
        found = [item for log in logs for item in mapillary_sls.clips(log)]
    except LogError as error:
        assert str(folder) in str(error)
        return
    rows = [line for line in tables["seq_info"].splitlines()[1:] if line]
    assert len(found) == len(rows)
