"""Serves pages to their own user: one machine, one secret address, images by number only."""

import hmac
import io
import ipaddress
import re
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

POLICY = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"RIFF": "image/webp"}
_STATIC = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back.

    Attributes:
        more: Headers beside the usual ones, or instead of them.
    """

    status: int
    kind: str
    body: bytes
    kept_s: int = 0
    more: Mapping[str, str] = field(default_factory=dict)


class Site(Protocol):
    """Whatever answers."""

    def answer(self, target: str, host: str) -> Response:
        """Answer a GET request for path and query, sent to a ``Host``."""


def admit(target: str, host: str, token: str, bound: str) -> Response | tuple[str, dict[str, str]]:
    """Let in who knows the key and calls this machine by one of its own names.

    Args:
        target: Path and query.
        host: The ``Host`` header.
        token: The first part of every address.
        bound: What the server is bound to.

    Returns:
        The path below the token and the fields of the query; or a refusal.
    """
    if not is_ours(host, bound):
        return text_response(403, f"This server does not answer to the name {host!r:.80}.")
    parts = urlsplit(target)
    _, given, *rest = [*parts.path.split("/"), ""]
    if not hmac.compare_digest(given.encode(), token.encode()):
        return text_response(403, "Open the address that the command printed: it holds a key.")
    return "/".join(rest).rstrip("/"), dict(parse_qsl(parts.query, max_num_fields=50))


def is_ours(host: str, bound: str) -> bool:
    """Refuse names that others may point here: only those of this machine, or addresses."""
    name = re.sub(r":\d*$", "", host).strip("[]").lower()
    if name in ("localhost", bound.lower()):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return bound in ("0.0.0.0", "::") and name == socket.gethostname().lower()  # noqa: S104
    return address.is_loopback or bound in ("0.0.0.0", "::")  # noqa: S104


def text_response(status: int, text: str) -> Response:
    """Return plain text."""
    return Response(status, "text/plain", text.encode())


def html_response(status: int, text: str) -> Response:
    """Return a page."""
    return Response(status, "text/html", text.encode())


def static_response(path: Path) -> Response:
    """Return a style, a script or a drawing of our own."""
    return Response(200, _STATIC[path.suffix], path.read_bytes(), kept_s=3600)


def image_response(path: Path) -> Response:
    """Return an image file as it is; what does not begin as one is not sent.

    Raises:
        LookupError: It is no image; or ``OSError``: it is not there.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise LookupError(f"{path.name} is not a file.")
    body = path.read_bytes()
    for begins, kind in _IMAGES.items():
        if body.startswith(begins):
            return Response(200, kind, body, kept_s=3600)
    raise LookupError(f"{path.name} is not a JPEG, PNG or WebP image.")


def small_jpeg(path: Path, within_px: tuple[int, int]) -> bytes:
    """Return an image as a JPEG of at most this size; a large JPEG is not decoded whole.

    Raises:
        LookupError: It is no image, or a broken one; or ``OSError``: it is not there.
    """
    body = io.BytesIO(image_response(path).body)
    try:
        with Image.open(body, formats=["JPEG", "PNG", "WEBP"]) as image:
            image.draft("RGB", within_px)
            image.thumbnail(within_px)
            image.convert("RGB").save(small := io.BytesIO(), "JPEG", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LookupError(f"{path.name} cannot be read: {error}") from error
    return small.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests as the site does, and no others."""

    server: "Server"
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "impromptu", ""
    timeout = 60
    disable_nagle_algorithm = True
    """Head and body are two packets; the second would wait 40 ms for the first's receipt."""

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        """Answer."""
        self.send(self.server.site.answer(self.path, self.headers.get("Host", "")))

    def send(self, response: Response) -> None:
        """Send a response with the headers that all have."""
        self.send_response(response.status)
        charset = "" if response.kind in _IMAGES.values() else "; charset=utf-8"
        kept = f"private, max-age={response.kept_s}" if response.kept_s else "no-store"
        headers = {
            "Content-Type": response.kind + charset,
            "Content-Length": str(len(response.body)),
            "Cache-Control": kept,
        }
        for name, value in (headers | POLICY | dict(response.more)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address holds the key."""


class Server(ThreadingHTTPServer):
    """A site on a port of this machine."""

    daemon_threads = True

    def __init__(self, site: Site, host: str, port: int, handler: type[Handler] = Handler) -> None:
        """Take the port; 0 takes a free one.

        Raises:
            ValueError: It cannot be had; the message says why.
        """
        self.site = site
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), handler)
        except (OSError, OverflowError) as error:
            why = (getattr(error, "strerror", None) or str(error)).lower().rstrip(".")
            text = f"--host {host} --port {port}: {why}; without --port a free one is taken"
            raise ValueError(text) from error

    def address(self, token: str) -> str:
        """Return the address of the site's first page."""
        host, port = self.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else host
        return f"http://{name!s}:{port}/{token}/"
