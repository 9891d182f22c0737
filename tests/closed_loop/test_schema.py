"""The server against the schema that it publishes: whatever comes, it answers as it says."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from impromptu.closed_loop.driver import Rule
from impromptu.closed_loop.plans import BASELINES
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.sessions import Sessions
from impromptu.closed_loop.trace import Trace
from impromptu.closed_loop.web import app

pytest.importorskip("fastapi", reason="needs the closed_loop extra: fastapi")
schemathesis = pytest.importorskip("schemathesis", reason="needs the oracles extra: schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

CHECKS = [
    *(schemathesis.checks.not_a_server_error, checks.content_type_conformance),
    *(checks.response_schema_conformance, checks.status_code_conformance),
]


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_every_answer_is_one_that_is_published(mode: str, tmp_path: Path) -> None:
    rule = Rule(BASELINES["constant_velocity"])
    web = app(Server(rule, Trace(tmp_path / "trace.jsonl"), Sessions(256)))
    schema = schemathesis.openapi.from_asgi("/openapi.json", web)
    schema["/reset"]["POST"].Case().call()  # else a step is refused before it is looked at
    asked = set()
    for operation in (found.ok() for found in schema.get_all_operations()):
        if mode == "NEGATIVE" and not (operation.body or operation.path_parameters):
            continue  # there is nothing to get wrong
        cases = operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode])

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=cases)
        def ask(case: Any) -> None:
            asked.add(case.operation.label)
            case.call_and_validate(checks=CHECKS)

        ask()
    assert len(asked) == {"POSITIVE": 6, "NEGATIVE": 4}[mode]
