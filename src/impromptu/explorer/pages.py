"""Writes the pages: what the templates are told, and nothing that is not escaped."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sqlite3 import Connection, Row
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from impromptu.explorer import query
from impromptu.explorer.judging import STATES, read_path
from impromptu.explorer.query import Filters
from impromptu.explorer.records import Shown, plain, read_span, shown

_LABELS = {
    "dataset": "Dataset",
    "split": "Split",
    "question": "Question",
    "speed": "Speed",
    "path": "Path",
    "tag": "Tag",
    "run": "Run",
    "state": "Prediction",
}


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one run said of a sample.

    Attributes:
        mark: Where its colour and sign stand among the runs'.
        text: None where it is not there, or cannot be read any more; then ``fault`` says why.
        state: Of ``judging.STATES``; empty where the run was not asked.
    """

    mark: int
    name: str
    text: str | None
    state: str
    error_m: float | None
    fault: str = ""


def list_page(con: Connection, filters: Filters, number: int, title: str, built: bool) -> str:
    """Write a page of samples or clips."""
    total = query.count(con, filters)
    pages = max(1, -(-total // query.PAGE))
    number = min(max(number, 1), pages)
    rows = [
        {"row": row, "many": many, "answers": query.answers(con, row["n"]), **_told(row)}
        for row, many in query.page(con, filters, number)
    ]
    return _render(
        "list.html",
        {
            "title": title,
            "filters": filters,
            "labels": _LABELS,
            "choices": query.choices(con),
            "states": STATES,
            "total": total,
            "number": number,
            "pages": pages,
            "rows": rows,
            "problems": query.problems(con),
            "built": built,
        },
    )


def _told(row: Row) -> Mapping[str, Any]:
    """Read a sample for a list; one that cannot be read any more says so in its place."""
    try:
        one = read_sample(row)
    except (OSError, ValueError) as error:
        return {"answer": "", "images": 0, "fault": str(error)}
    return {"answer": one.answer[:300], "images": len(one.images), "fault": ""}


def sample_page(con: Connection, filters: Filters, row: Row, title: str, calibrated: bool) -> str:
    """Write the page of one sample."""
    one = read_sample(row)
    given = predictions(con, row["n"])
    return _render(
        "sample.html",
        {
            "title": title,
            "filters": filters,
            "row": row,
            "sample": one,
            "pieces": re.split("(<image>)", one.prompt),
            "predictions": given,
            "states": STATES,
            "tags": query.tags(con, row["clip_n"]),
            "same_clip": query.count(con, Filters(clip=row["clip"])),
            "place": query.around(con, filters, row["n"]),
            "above": _above(row["question"], one, given),
            "calibrated": calibrated,
        },
    )


def read_sample(row: Row) -> Shown:
    """Read a sample from its file; raises ``OSError`` or ``ValueError`` where it is gone."""
    return shown(read_span(Path(row["file"]), row["offset"], row["length"]))


def predictions(con: Connection, number: int) -> list[Prediction]:
    """Read what the runs said of a sample."""
    return [_prediction(mark, row) for mark, row in enumerate(query.answers(con, number))]


def _prediction(mark: int, row: Row) -> Prediction:
    text, fault = None, ""
    try:
        if row["path"] is not None:
            span = read_span(Path(row["path"]), row["offset"], row["length"])
            text = plain(span["predict"])
    except (OSError, ValueError) as error:
        fault = str(error)
    return Prediction(mark, row["name"], text, row["state"] or "", row["error_m"], fault)


def routes(task: str, answer: str, given: Sequence[Prediction]) -> Any:
    """Return the true and the predicted paths of a sample that can be drawn, the true one first."""
    from impromptu.explorer.drawing import TRUE, Route, xy
    from impromptu.pictures import TRUTH, run_style

    true = read_path(task, answer)
    found = [Route(TRUE, TRUTH, xy(true))] if true else []
    for one in given:
        if one.text is not None and (path := read_path(task, one.text)):
            found.append(Route(one.mark, run_style(one.mark)[0], xy(path)))
    return found


def _above(task: str, one: Shown, given: Sequence[Prediction]) -> Any:
    if not (found := routes(task, one.answer, given) if task in ("q7", "planning") else []):
        return None
    from impromptu.explorer.drawing import above, past_in

    return above(past_in(one.prompt), found)


def overlay(drawn: Any) -> str:
    """Write paths on an image as an SVG of the image's size, clear where there is no path."""
    return _render("overlay.svg", {"drawn": drawn})


def message_page(title: str, text: str, up: str) -> str:
    """Write a page that only says something; ``up`` is the address of the list."""
    return _render("message.html", {"title": title, "text": text, "up": up})


def _render(name: str, facts: Mapping[str, Any]) -> str:
    return _environment().get_template(f"{name}.jinja").render(facts)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("impromptu.explorer"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["mark_color"] = _mark_color
    return environment


def _mark_color(position: int) -> str:
    from impromptu.pictures import run_style

    return run_style(position)[0]
