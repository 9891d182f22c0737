"""Answers what is asked of the explorer: pages, and files by number only."""

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from impromptu.clip import Clip
from impromptu.explorer import pages, query
from impromptu.explorer.index import Index
from impromptu.explorer.query import Filters
from impromptu.explorer.records import Shown
from impromptu.local_server import (
    Response,
    admit,
    html_response,
    image_response,
    small_jpeg,
    static_response,
)

_STATIC = ("style.css", "keys.js", "icon.svg")
_THUMB_PX = (192, 128)

FindClip = Callable[[str], Clip | None]


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
        asked = admit(target, host, self.token, self.host)
        if isinstance(asked, Response):
            return asked
        try:
            return self._page(*asked)
        except LookupError as error:
            return self._message(404, str(error.args[0]))
        except ValueError as error:
            return self._message(400, str(error))
        except (OSError, sqlite3.Error) as error:
            return self._message(500, str(error))

    def _page(self, path: str, asked: dict[str, str]) -> Response:
        if path in _STATIC:
            return static_response(Path(__file__).parent / "static" / path)
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
        return html_response(200, pages.list_page(con, Filters.read(asked), page, title, built))

    def _sample(self, con: sqlite3.Connection, row: sqlite3.Row, asked: dict[str, str]) -> Response:
        filters, calibrated = Filters.read(asked), self.find_clip is not None
        text = pages.sample_page(con, filters, row, self.index.root.name, calibrated)
        return html_response(200, text)

    def _image(self, con: sqlite3.Connection, row: sqlite3.Row, what: str, k: int) -> Response:
        """Send an image that a sample names; a path never comes from an address."""
        sample = pages.read_sample(row)
        if k >= len(sample.images):
            raise LookupError(f"{row['id']} has {len(sample.images)} images.")
        if what == "overlay":
            return self._overlay(con, row, sample, k)
        path = self._file(row, sample.images[k])
        if what == "thumb":
            return Response(200, "image/jpeg", small_jpeg(path, _THUMB_PX), kept_s=3600)
        return image_response(path)

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
        return html_response(
            status, pages.message_page(self.index.root.name, text, f"/{self.token}/")
        )
