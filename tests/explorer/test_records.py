import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impromptu.explorer import records
from impromptu.explorer.records import read_span, shown, spans

VALUES = st.dictionaries(st.text(max_size=4), st.text(max_size=8) | st.lists(st.integers()))


def test_a_record_is_read_again_from_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"a": "é€"},\n{"a": 2}\n]\n', encoding="utf-8")
    found = list(spans(path))
    assert [(one.offset, one.value) for one in found] == [(2, {"a": "é€"}), (18, {"a": 2})]
    assert read_span(path, found[1].offset, found[1].length) == {"a": 2}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(VALUES, max_size=5), indent=st.sampled_from([None, 2]), ascii=st.booleans())
def test_any_layout_gives_the_same_records(
    tmp_path: Path, rows: list[Any], indent: int | None, ascii: bool
) -> None:
    whole, lines = tmp_path / "a.json", tmp_path / "a.jsonl"
    content = json.dumps(rows, indent=indent, ensure_ascii=ascii)
    whole.write_bytes(content.encode("utf-8", "surrogatepass"))
    lines.write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode())
    for path in (whole, lines):
        for block in (1, 7, 1 << 20):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(records, "_BLOCK", block)
                found = list(spans(path))
            again = [read_span(path, one.offset, one.length) for one in found]
            assert [one.value for one in found] == again == rows


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ('[{"a": 1}, {"a": 2', 1),
        ('[{"a": 1}', 1),
        ('{"a": 1}\n{"a": oops}\n{"a": 3}\n', 1),
        ("[" * 100_000, 0),
        ('{"a": 1}' + "{" * 1000, 1),
    ],
)
def test_what_is_not_json_is_told_after_what_is(tmp_path: Path, content: str, kept: int) -> None:
    path, found = tmp_path / "a.json", []
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.json: byte \d+: not valid JSON"):
        for one in spans(path):
            found.append(one.value)
    assert len(found) == kept


def test_a_file_that_changed_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("[{}]", encoding="utf-8")
    with pytest.raises(ValueError, match="changed since it was indexed"):
        read_span(path, 1, 3)


@pytest.mark.parametrize(
    ("record", "prompt", "answer", "images"),
    [
        (
            {
                "messages": [
                    {"role": "user", "content": "<image> q"},
                    {"role": "assistant", "content": "a"},
                ],
                "images": ["x.jpg"],
            },
            "<image> q",
            "a",
            ("x.jpg",),
        ),
        (
            {
                "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
                "image": "x.jpg",
            },
            "q",
            "a",
            ("x.jpg",),
        ),
        (
            {
                "messages": [
                    {"role": "system", "content": "s"},
                    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "q"}]},
                ]
            },
            "system: s\n\nuser: <image>\nq",
            "",
            (),
        ),
    ],
)
def test_peoples_shapes(
    record: dict[str, Any], prompt: str, answer: str, images: tuple[str, ...]
) -> None:
    one = shown(record)
    assert (one.prompt, one.answer, one.images, one.id) == (prompt, answer, images, "")


def test_an_id_of_zero_is_an_id_and_broken_text_can_be_stored() -> None:
    one = shown({"id": 0, "messages": [{"role": "user", "content": "\ud800"}]})
    assert (one.id, one.prompt) == ("0", "?")


@pytest.mark.parametrize("record", [[], {}, {"messages": "no"}, {"messages": [], "images": [1]}])
def test_what_is_no_sample(record: Any) -> None:
    with pytest.raises(ValueError):
        shown(record)
