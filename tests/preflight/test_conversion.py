from typing import Any

import pytest

from impromptu.conversation import registry_entry
from impromptu.preflight.conversion import Conversation, Lost, converse, names_of

OURS = names_of(registry_entry("a.json"))
DEFAULT = names_of({"formatting": "sharegpt"})


def turns(*roles: str | None, text: Any = "x", role: str = "role") -> list[dict[str, Any]]:
    content = "content" if role == "role" else "value"
    return [{role: name, content: text} for name in roles]


def fate(row: Any) -> str:
    made = converse(row, OURS)
    return made.reason if isinstance(made, Lost) else ""


def test_a_conversation_is_taken_as_it_is() -> None:
    row = {"messages": turns("user", "assistant", text="a <image>"), "images": ["1.png", "2.png"]}
    assert converse(row, OURS) == Conversation(
        "", ("a <image>", "a <image>"), (False,), ("1.png", "2.png")
    )


def test_an_entry_with_tags_has_no_system_role_and_one_without_has() -> None:
    """With ``tags``, LLaMA-Factory forgets the default of every tag that is not among them."""
    messages = turns("system", "user", "assistant")
    assert fate({"messages": messages}) == "wrong_roles"
    row = {"conversations": turns("system", "human", "gpt", role="from")}
    made = converse(row, DEFAULT)
    assert isinstance(made, Conversation)
    assert (made.system, made.turns) == ("x", ("x", "x"))


def test_an_entry_with_columns_has_those_only() -> None:
    names = names_of({"columns": {"messages": "m"}})
    assert (names.messages, names.images, names.system) == ("m", None, None)
    assert names_of({"columns": {}}).messages is None
    made = converse({"m": turns("human", "gpt", role="from"), "images": ["1.png"]}, names)
    assert isinstance(made, Conversation) and not made.images


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": turns("user")}, "odd_turns"),
        ({"messages": turns("user", "assistant", "user")}, "odd_turns"),
        ({"messages": []}, "no_turns"),
        ({"messages": turns("assistant", "user")}, "wrong_roles"),
        ({"messages": turns("user", "user")}, "wrong_roles"),
        ({"messages": turns("human", "gpt")}, "wrong_roles"),
        ({"messages": turns(None, "assistant")}, "wrong_type"),
        ({"messages": turns("user", "assistant", text=3)}, "wrong_type"),
        ({"messages": turns("user", "assistant", text=None)}, "wrong_type"),
        ({"messages": ["a", "b"]}, "wrong_type"),
        ({"messages": "a"}, "no_messages"),
        ({"conversations": turns("user", "assistant")}, "no_messages"),
        ({"messages": turns("user", "assistant"), "images": [1]}, "wrong_type"),
        ({"messages": turns("user", "assistant"), "images": {"a": 1}}, "wrong_type"),
        ({"messages": turns("user", "assistant"), "images": ["a"]}, "marks"),
        ({"messages": turns("user", "assistant", text="<image>")}, "marks"),
        ({"messages": turns("user", "assistant", text="<video>")}, "marks"),
        ({"messages": turns("user", "assistant"), "images": None}, ""),
        ({"messages": turns("user", "assistant"), "images": []}, ""),
        ([], "wrong_type"),
        (None, "wrong_type"),
    ],
)
def test_what_llamafactory_makes_of_a_row(row: Any, reason: str) -> None:
    assert fate(row) == reason
