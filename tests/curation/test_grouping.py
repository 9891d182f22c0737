from typing import Any

import pytest

from impromptu.curation.grouping import groups, normalised

SAID = (
    ["Road works"] * 3 + ["road  work", "Works on the road", "Animal on road", "Animals"] + ["Fog"]
)


def test_words_that_tell_proposals_apart() -> None:
    assert normalised("Road works") == normalised("Work on the roads") == "work"
    assert normalised("Animals on the road") == normalised("animal") == "animal"
    assert normalised("Closed lanes") == "clos lan"
    assert normalised("the road") == ""


def test_wordings_of_one_kind_are_one_group_and_all_are_counted() -> None:
    made = groups(SAID, 0.5)
    assert [(group["name"], group["count"]) for group in made] == [
        ("road works", 5),
        ("animal on road", 2),
        ("fog", 1),
    ]
    assert made[0]["wordings"] == {"road works": 3, "road work": 1, "works on the road": 1}
    assert groups(reversed(SAID), 0.5) == made
    assert groups([], 0.5) == []


def test_likeness_decides_how_much_is_one_group() -> None:
    said = ["snowy surface", "snow surface", "wet surface"]
    assert len(groups(said, 1.0)) == 3
    assert [group["count"] for group in groups(said, 0.6)] == [2, 1]
    assert len(groups(said, 0.1)) == 1


def test_a_servers_vectors_may_tell_the_meaning() -> None:
    directions = {"cow": (1.0, 0.1), "cattle": (2.0, 0.0), "ice": (0.0, 1.0)}

    def vectors(texts: Any) -> Any:
        return [directions[text] for text in texts]

    assert [group["count"] for group in groups(directions, 0.9, vectors)] == [2, 1]


def test_as_many_vectors_as_texts_are_expected() -> None:
    with pytest.raises(ValueError, match="expected 2 vectors, got 1"):
        groups(["cow", "ice"], 0.9, lambda texts: [[1.0]])
