from pathlib import Path

import pytest

from impromptu.chosen_clips import load_chosen
from impromptu.taxonomy import CATEGORIES


def test_each_clip_has_yes_or_no_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    path.write_text(
        '{"id": "kitti/1/2", "categories": ["Challenging road conditions"], "agreement": 1.0}\n'
        '{"id": "kitti/1/9", "categories": []}\n'
    )
    chosen = load_chosen(path)
    assert "kitti/1/2" in chosen and "kitti/1/3" not in chosen
    assert chosen.tags["kitti/1/2"] == dict.fromkeys(CATEGORIES, "no") | {
        "challenging_conditions": "yes"
    }
    assert set(chosen.tags["kitti/1/9"].values()) == {"no"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no clips in it"),
        ("kitti/1/2\n", "kept.jsonl:1: not valid JSON"),
        ("[]\n", "kept.jsonl:1: expected .* got \\[\\]"),
        ('{"id": 3, "categories": []}\n', "kept.jsonl:1: expected"),
        ('{"id": "a"}\n', "kept.jsonl:1: expected"),
        ('{"id": "a", "categories": ["Ice"]}\n', "kept.jsonl:1: no category 'Ice'; there are"),
        ('{"id": "a", "categories": []}\n' * 2, "kept.jsonl:2: clip a comes twice"),
    ],
)
def test_what_is_no_list_of_clips_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "kept.jsonl").write_text(text)
    with pytest.raises(ValueError, match=told):
        load_chosen(tmp_path / "kept.jsonl")
