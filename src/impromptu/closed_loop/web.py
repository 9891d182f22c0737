"""The model server on the web: alive, reset and infer, plain or under /s/NAME."""

import asyncio
import re
from typing import TYPE_CHECKING, Any

from impromptu.closed_loop.driver import ModelError
from impromptu.closed_loop.plans import COUNT
from impromptu.closed_loop.protocol import CANBUS, CHANNELS, LAST_US, StepError
from impromptu.closed_loop.server import Server
from impromptu.closed_loop.sessions import OrderError

if TYPE_CHECKING:
    from fastapi import FastAPI

MAX_BODY = 100_000_000
"""Six raw images of 1600 x 900 are 34.6 MB."""
BODY_S = 60.0
DEFAULT = "default"
"""The session of an engine that knows of none."""
_NAME = r"^[A-Za-z0-9._-]{1,64}$"


class RequestError(ValueError):
    """A request that is not taken at all.

    Attributes:
        status: Of the HTTP reply.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def app(server: Server) -> "FastAPI":
    """Return the web application.

    Raises:
        ModuleNotFoundError: FastAPI is not installed.
    """
    try:
        from fastapi import FastAPI, Request
        from fastapi.responses import JSONResponse
        from starlette.requests import ClientDisconnect
    except ModuleNotFoundError as error:
        error.add_note("this server needs more: pip install 'impromptu-vla[closed_loop]'")
        raise
    web = FastAPI(title="NeuroNCAP model server", docs_url=None, redoc_url=None)

    async def alive(request: Request) -> Any:
        _session(request)
        return JSONResponse(server.alive())

    async def reset(request: Request) -> Any:
        return JSONResponse(server.reset(_session(request)))

    async def infer(request: Request) -> Any:
        return JSONResponse(await server.infer(_session(request), await _body(request)))

    async def refuse(request: Request, error: Exception) -> Any:
        status = getattr(error, "status", 507)
        # What is left of a body is not waited for.
        headers = {"Connection": "close"} if status in (408, 413) else {}
        return JSONResponse({"detail": str(error) or "the client is gone"}, status, headers)

    for prefix, extra in (("", {}), ("/s/{name}", {"parameters": [_SESSION]})):
        add = web.add_api_route
        told: dict[str, Any] = {"responses": _ANSWERS}
        add(f"{prefix}/alive", alive, methods=["GET"], openapi_extra=extra, **told)
        add(f"{prefix}/reset", reset, methods=["POST"], openapi_extra=extra, **told)
        add(f"{prefix}/infer", infer, methods=["POST"], openapi_extra=extra | _STEP, **told)
    for kind in (RequestError, StepError, OrderError, ModelError, OSError):
        web.add_exception_handler(kind, refuse)
    web.add_exception_handler(ClientDisconnect, refuse)
    return web


def _session(request: Any) -> str:
    name: str = request.path_params.get("name", DEFAULT)
    if not re.fullmatch(_NAME, name):
        raise RequestError(422, f"session {name!r:.80}: expected up to 64 of A-Z a-z 0-9 . _ -")
    return name


async def _body(request: Any) -> bytearray:
    """Read a request's body.

    Raises:
        RequestError: It is too large, or does not come to its end in a minute.
    """
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_BODY:
        raise RequestError(413, f"a body of {length} bytes; at most {MAX_BODY} are taken")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise RequestError(413, f"a body of more than {MAX_BODY} bytes")
    except TimeoutError as error:
        raise RequestError(408, f"the body was not there after {BODY_S:g} s") from error
    return body


def _numbers(*shape: int) -> dict[str, Any]:
    """Return the schema of nested lists of numbers."""
    schema: dict[str, Any] = {"type": "number"}
    for count in reversed(shape):
        schema = {"type": "array", "items": schema, "minItems": count, "maxItems": count}
    return schema


def _object(needed: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": [*(needed or properties)], "properties": properties}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


_SESSION = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "Of a run; runs under different names know nothing of each other.",
    "schema": {"type": "string", "pattern": _NAME},
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    status: {"description": text, **_json(_object(detail={"type": "string"}))}
    for status, text in {
        400: "The client is gone.",
        408: "The body did not come.",
        409: "The run has not begun, or the step does not follow the one before.",
        413: "The body is too large.",
        422: "The request tells no step.",
        502: "The model refuses, fails, or says what cannot be read.",
        503: "The model cannot be reached.",
        504: "The model takes too long.",
        507: "The trace cannot be written.",
    }.items()
}
_INFER = _object(
    images=_object(
        ("CAM_FRONT",),
        **{name: {"type": "string", "description": "base64 of torch.save"} for name in CHANNELS},
    ),
    ego2world=_numbers(4, 4),
    canbus=_numbers(CANBUS),
    timestamp={"type": "integer", "minimum": 0, "maximum": LAST_US, "description": "us"},
    command={"enum": [0, 1, 2], "description": "0 right, 1 left, 2 straight"},
    calibration=_object(("lidar2ego",), lidar2ego=_numbers(4, 4)),
)
_PLAN = _object(trajectory=_numbers(COUNT, 2), aux_outputs={"type": "object"})
_STEP = {
    "requestBody": {"required": True, **_json(_INFER)},
    "responses": {"200": {"description": "Where to go.", **_json(_PLAN)}},
}
