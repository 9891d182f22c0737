import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impromptu.conversation import Sample, clip_id, log_of


def test_round_trip() -> None:
    sample = Sample("a/q7", ("x.jpg", "y.jpg"), "<image><image> Where to?", "[1, 2]")
    assert Sample.from_sharegpt(sample.to_sharegpt()) == sample


@given(
    st.lists(st.text(), max_size=3), st.text(), st.dictionaries(st.text(), st.text(), max_size=2)
)
def test_its_text_is_what_json_makes_of_it(
    images: list[str], text: str, marks: dict[str, str]
) -> None:
    sample = Sample(f"{text}/q7", tuple(images), "<image>" * len(images), text.replace("<", "("))
    # JSON keeps one of two fields of a name, and a mark never has that of a field.
    marks = {f"mark {name}": value for name, value in marks.items()}
    wanted = json.dumps(sample.to_sharegpt() | marks, ensure_ascii=False)
    assert sample.json_text(marks) == wanted


def test_markers_must_match_images() -> None:
    with pytest.raises(ValueError, match="a/q7: 1 <image> markers for 2 images"):
        Sample("a/q7", ("x.jpg", "y.jpg"), "<image>", "")


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"id": "a", "images": "x.jpg", "messages": []}, "'images' must be a list"),
        ({"id": "a", "images": []}, "'messages' must be a list of objects, got None"),
        ({"id": "a", "messages": ["x"]}, r"'messages' must be a list of objects, got \['x'\]"),
        ({"id": "a", "messages": [{"role": "user", "content": "?"}]}, r"got \['user'\]"),
        (
            {"id": "a", "messages": [{"role": "user"}, {"role": "assistant", "content": ""}]},
            "no 'content' text",
        ),
    ],
)
def test_another_shape_names_the_field(record: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=f"a: .*{text}"):
        Sample.from_sharegpt(record)


@pytest.mark.parametrize(
    ("sample_id", "clip", "log"),
    [
        ("nuscenes/scene-1/k/q2", "nuscenes/scene-1/k", "nuscenes/scene-1"),
        ("nuscenes/scene-1/k/q2/front_left", "nuscenes/scene-1/k", "nuscenes/scene-1"),
        ("nuscenes/q2/k/q2", "nuscenes/q2/k", "nuscenes/q2"),
        ("nuscenes/scene-1/k/q20", "", ""),
        ("17", "", ""),
    ],
)
def test_a_sample_id_names_its_clip_and_log(sample_id: str, clip: str, log: str) -> None:
    assert clip_id(sample_id, "q2") == clip
    assert log_of(clip) == log
