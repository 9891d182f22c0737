"""Serves the explorer to its own user: one machine, one secret address, files by number only."""

import hmac
import io
import ipaddress
import re
import socket
import sqlite3
import stat
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qsl, urlsplit

from PIL import Image

from impromptu.clip import Clip
from impromptu.explorer import pages, query
from impromptu.explorer.index import Index
from impromptu.explorer.query import Filters
from impromptu.explorer.records import Shown

_POLICY = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; "
    "script-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {"style.css": "text/css", "keys.js": "text/javascript", "icon.svg": "image/svg+xml"}
_HTML = "text/html"
_IMAGES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"RIFF": "image/webp"}
_THUMB_PX = (192, 128)

FindClip = Callable[[str], Clip | None]


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    status: int
    kind: str
    body: bytes
    kept_s: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """All that can be asked for, by address.

    Attributes:
        token: The first part of every address.
        host: What the server is bound to.
        find_clip: Reads a clip from the raw logs for its calibration; None without them.
        lock: Held while raw logs are read.
    """

    index: Index
    token: str
    host: str
    find_clip: FindClip | None
    lock: Lock

    def answer(self, target: str, host: str) -> Response:
        """Answer a GET request.

        Args:
            target: Path and query.
            host: The ``Host`` header.
        """
        if not self._is_ours(host):
            return _text(403, f"This server does not answer to the name {host!r:.80}.")
        parts = urlsplit(target)
        _, token, *rest = [*parts.path.split("/"), ""]
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            return _text(403, "Open the address that impromptu view printed: it holds a key.")
        asked = dict(parse_qsl(parts.query, max_num_fields=50))
        try:
            return self._page("/".join(rest).rstrip("/"), asked)
        except LookupError as error:
            return self._message(404, str(error.args[0]))
        except ValueError as error:
            return self._message(400, str(error))
        except (OSError, sqlite3.Error) as error:
            return self._message(500, str(error))

    def _is_ours(self, host: str) -> bool:
        """Refuse names that others may point here: only those of this machine, or addresses."""
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        if name in ("localhost", self.host.lower()):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return self.host in ("0.0.0.0", "::") and name == socket.gethostname().lower()  # noqa: S104
        return address.is_loopback or self.host in ("0.0.0.0", "::")  # noqa: S104

    def _page(self, path: str, asked: dict[str, str]) -> Response:
        if path in _STATIC:
            body = (Path(__file__).parent / "static" / path).read_bytes()
            return Response(200, _STATIC[path], body, kept_s=3600)
        with self.index.open() as con:
            if not path:
                return self._list(con, asked)
            match = re.fullmatch(r"(sample|thumb|image|overlay)/(\d{1,15})(?:/(\d{1,4}))?", path)
            row = query.sample(con, int(match[2])) if match else None
            if not match or row is None:
                raise LookupError("There is no such page.")
            if match[1] == "sample":
                return self._sample(con, row, asked)
            return self._image(con, row, match[1], int(match[3] or 0))

    def _list(self, con: sqlite3.Connection, asked: dict[str, str]) -> Response:
        number = asked.get("page", "1")
        page = int(number) if re.fullmatch(r"\d{1,9}", number) else 1
        built = self.index.is_built()
        title = self.index.root.name
        return _html(200, pages.list_page(con, Filters.read(asked), page, title, built))

    def _sample(self, con: sqlite3.Connection, row: sqlite3.Row, asked: dict[str, str]) -> Response:
        filters, calibrated = Filters.read(asked), self.find_clip is not None
        text = pages.sample_page(con, filters, row, self.index.root.name, calibrated)
        return _html(200, text)

    def _image(self, con: sqlite3.Connection, row: sqlite3.Row, what: str, k: int) -> Response:
        """Send an image that a sample names; a path never comes from an address."""
        sample = pages.read_sample(row)
        if k >= len(sample.images):
            raise LookupError(f"{row['id']} has {len(sample.images)} images.")
        if what == "overlay":
            return self._overlay(con, row, sample, k)
        path = self._file(row, sample.images[k])
        if what == "thumb":
            return Response(200, "image/jpeg", _thumb(path), kept_s=3600)
        return _whole(path)

    def _file(self, row: sqlite3.Row, name: str) -> Path:
        """Find an image: relative to the folder that is browsed, else to its sample file's."""
        found = self.index.base / name
        return found if found.exists() else Path(row["file"]).parent / name

    def _overlay(
        self, con: sqlite3.Connection, row: sqlite3.Row, sample: Shown, k: int
    ) -> Response:
        """Draw paths on an image's ground; what cannot be drawn is clear."""
        from impromptu.explorer.drawing import on_image

        with self.lock:
            clip = self.find_clip(row["clip"]) if self.find_clip else None
        routes = pages.routes(row["question"], sample.answer, pages.predictions(con, row["n"]))
        drawn = on_image(clip, sample.images[k], row["question"], routes) if clip else None
        return Response(200, "image/svg+xml", pages.overlay(drawn).encode())

    def _message(self, status: int, text: str) -> Response:
        return _html(status, pages.message_page(self.index.root.name, text, f"/{self.token}/"))


def _text(status: int, text: str) -> Response:
    return Response(status, "text/plain", text.encode())


def _html(status: int, text: str) -> Response:
    return Response(status, _HTML, text.encode())


def _whole(path: Path) -> Response:
    """Send an image file as it is; what does not begin as one is not sent."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise LookupError(f"{path.name} is not a file.")
    body = path.read_bytes()
    for begins, kind in _IMAGES.items():
        if body.startswith(begins):
            return Response(200, kind, body, kept_s=3600)
    raise LookupError(f"{path.name} is not a JPEG, PNG or WebP image.")


def _thumb(path: Path) -> bytes:
    """Return a small JPEG of an image; a JPEG is decoded at an eighth of its size."""
    body = io.BytesIO(_whole(path).body)
    try:
        with Image.open(body, formats=["JPEG", "PNG", "WEBP"]) as image:
            image.draft("RGB", _THUMB_PX)
            image.thumbnail(_THUMB_PX)
            image.convert("RGB").save(small := io.BytesIO(), "JPEG", quality=80)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LookupError(f"{path.name} cannot be read: {error}") from error
    return small.getvalue()


class Server(ThreadingHTTPServer):
    """A site on a port of this machine."""

    daemon_threads = True

    def __init__(self, site: Site, host: str, port: int) -> None:
        """Take the port; 0 takes a free one."""
        self.site = site
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "impromptu", ""
    timeout = 60

    def do_GET(self) -> None:  # noqa: N802 - the library's name
        """Answer."""
        self._send(self.server.site.answer(self.path, self.headers.get("Host", "")))

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        charset = "" if response.kind in _IMAGES.values() else "; charset=utf-8"
        kept = f"private, max-age={response.kept_s}" if response.kept_s else "no-store"
        headers = {
            "Content-Type": response.kind + charset,
            "Content-Length": str(len(response.body)),
            "Cache-Control": kept,
        }
        for name, value in (headers | _POLICY).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the address holds the key."""
