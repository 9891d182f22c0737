"""Reads what a teacher says during curation; whatever cannot be relied on is an ``AnswerError``.

The message of an error names the fault in words that the teacher can be told.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from impromptu.annotation import checks
from impromptu.curation.taxonomy import NAMES
from impromptu.questions import AnswerError

LIGHTS = ("day", "twilight", "night")
WEATHERS = ("clear", "cloudy", "rain", "snow", "fog")
WORDS = ("Conventional", "Unconventional")

_FENCE = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL | re.IGNORECASE)


def _text(maximum: int = 2000, minimum: int = 1) -> dict[str, Any]:
    return {"type": "string", "minLength": minimum, "maxLength": maximum}


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(item: Any) -> dict[str, Any]:
    return {"type": "array", "items": item}


PROPOSAL_SCHEMA = _object(category=_text(80, 2), reason=_text())
LABEL_SCHEMA = _object(
    scene=_object(light={"enum": LIGHTS}, weather={"enum": WEATHERS}, description=_text()),
    road_features=_list(_object(feature=_text(), effect=_text())),
    objects=_list(_object(object=_text(), effect=_text())),
    conclusion=_object(analysis=_text(), categories=_list({"enum": NAMES})),
)
"""What a server that can is asked to keep to; the same schemas are checked here in any case."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a teacher says about one keyframe in four steps.

    Attributes:
        light, weather: Of ``LIGHTS`` and ``WEATHERS``.
        categories: Names of the taxonomy, in its order; none for a standard scene.
        steps: The whole answer.
    """

    light: str
    weather: str
    categories: tuple[str, ...]
    steps: Mapping[str, Any]


def read_description(text: str) -> str:
    """Return a description of a scene, if it is one by the checks of q5, which asks for the like.

    Raises:
        AnswerError: It is not.
    """
    if text.lstrip().startswith(("{", "[")):
        raise AnswerError(f"it was no prose: {text[:40]!r}")
    return checks.check("q5", "", text)


def read_word(text: str) -> str:
    """Return Conventional or Unconventional, said as the whole answer in any case.

    Raises:
        AnswerError: It is anything else.
    """
    word = text.strip().strip(".\"'*").capitalize()
    if word not in WORDS:
        reason = "unknown_words" if word else "empty"
        raise AnswerError(f"it was {text[:60]!r}, not one of {', '.join(WORDS)}", reason)
    return word


def read_proposal(text: str) -> str:
    """Return the category that was freely proposed.

    Raises:
        AnswerError: The answer is not the JSON that was asked for, or its reason not one to two
            sentences of English, by the checks of q3, which asks for the like.
    """
    value = _checked(text, PROPOSAL_SCHEMA)
    checks.check("q3", "", value["reason"])
    return str(value["category"]).strip()


def read_label(text: str) -> Label:
    """Read the answer in four steps.

    Raises:
        AnswerError: It is not the JSON that was asked for, names something unknown, or its
            sentences are none of English, by the checks of q3.
    """
    value = _checked(text, LABEL_SCHEMA)
    scene, conclusion = value["scene"], value["conclusion"]
    for said in (scene["description"], conclusion["analysis"]):
        checks.check("q3", "", said)
    named = tuple(name for name in NAMES if name in conclusion["categories"])
    return Label(scene["light"], scene["weather"], named, value)


def _checked(text: str, schema: Mapping[str, Any]) -> Any:
    """Return the JSON of an answer, alone or in a code fence, if it is as a schema says."""
    fenced = _FENCE.fullmatch(text)
    body = fenced[1] if fenced else text.strip()
    if not body:
        raise AnswerError("it was empty", "empty")
    try:
        value = json.loads(body)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(body) or "Unterminated" in error.msg
        raise AnswerError(
            f"it was no JSON ({error})", "cut_short" if cut else "not_json"
        ) from error
    except (RecursionError, ValueError) as error:
        raise AnswerError(f"it was no JSON ({error})", "not_json") from error
    _check(value, schema, "the answer")
    return value


def _check(value: Any, schema: Mapping[str, Any], where: str) -> None:
    """Check a value against the part of JSON Schema that is used above."""
    if "enum" in schema:
        if value not in schema["enum"]:
            expected = ", ".join(map(repr, schema["enum"]))
            raise AnswerError(
                f"{where} was {_shown(value)}, not one of {expected}", "unknown_words"
            )
        return
    kind = {"string": str, "array": list, "object": dict}[schema["type"]]
    if not isinstance(value, kind):
        raise AnswerError(f"{where} was {_shown(value)}, no {schema['type']}")
    if isinstance(value, str):
        if not schema["minLength"] <= len(value.strip()) <= schema["maxLength"]:
            low, high = schema["minLength"], schema["maxLength"]
            fault = f"{where} had {len(value.strip())} characters, not {low} to {high}"
            raise AnswerError(fault, "wrong_length")
    elif isinstance(value, list):
        for place, item in enumerate(value, start=1):
            _check(item, schema["items"], f"{where}, item {place}")
    else:
        _check_object(value, schema["properties"], where)


def _check_object(
    value: Mapping[str, Any], properties: Mapping[str, Mapping[str, Any]], where: str
) -> None:
    for name in properties:
        if name not in value:
            raise AnswerError(f"{where} had no {name!r}")
    if unknown := [name for name in value if name not in properties]:
        raise AnswerError(f"{where} had {unknown[0][:40]!r}, which nobody asked for")
    for name, schema in properties.items():
        _check(value[name], schema, f"{name!r}")


def _shown(value: Any) -> str:
    return f"{value!r:.60}"
