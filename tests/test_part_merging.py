"""Parts of logs become the files of a split."""

import json
from pathlib import Path

from impromptu.clip_rows import rows_table
from impromptu.part_merging import Split, merge


def part(path: Path, **samples: list[str]) -> Path:
    """Write a part by hand: texts by the last word of their file."""
    bodies = {key: ",\n".join(texts).encode() for key, texts in samples.items()}
    files = [(f"data/{key}", len(samples[key]), len(body)) for key, body in bodies.items()]
    head = json.dumps({"counts": {}, "files": files}).encode() + b"\n"
    path.write_bytes(head + b"".join(bodies.values()) + rows_table([]).to_pybytes())
    return path


def test_samples_stand_in_the_order_of_the_parts_each_in_its_file(tmp_path: Path) -> None:
    parts = (
        part(tmp_path / "0.part", q1=['{"id": "a"}', '{"id": "b"}'], q2=['{"id": "c"}']),
        part(tmp_path / "1.part"),
        part(tmp_path / "2.part", q2=['{"id": "d", "text": "\u00fc"}'], q1=['{"id": "e"}']),
    )
    written = merge(Split("data", "train", parts, tmp_path / "out"))
    assert written == {"data/q1": 3, "data/q2": 2}
    one, two = (json.loads((tmp_path / f"out/data/q{n}.json").read_bytes()) for n in (1, 2))
    assert [sample["id"] for sample in one] == ["a", "b", "e"]
    assert two == [{"id": "c"}, {"id": "d", "text": "\u00fc"}]
    text = (tmp_path / "out/data/q1.json").read_text()
    assert text == '[\n{"id": "a"},\n{"id": "b"},\n{"id": "e"}\n]\n'
    assert (tmp_path / "out/clips/data_train.parquet").is_file()
