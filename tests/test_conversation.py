import pytest

from impromptu.conversation import Sample


def test_round_trip() -> None:
    sample = Sample("a/q7", ("x.jpg", "y.jpg"), "<image><image> Where to?", "[1, 2]")
    assert Sample.from_sharegpt(sample.to_sharegpt()) == sample


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
