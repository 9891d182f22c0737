"""Answers a reviewer: one item a page, its images, and decisions, which only this page can send."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from urllib.parse import parse_qs, quote

from impromptu import explorer
from impromptu.clip import Clip
from impromptu.local_server import (
    POLICY,
    Handler,
    Response,
    admit,
    html_response,
    image_response,
    small_jpeg,
    static_response,
    text_response,
)
from impromptu.review import pages
from impromptu.review.decisions import ChangedMeanwhileError, Ledger, decide
from impromptu.review.items import CHOICES, Item
from impromptu.review.prepared import Place, Prepared

_VIEW_PX = (1280, 960)
_AHEAD = 3
_LARGEST_BODY = 1 << 20
_OWN = Path(__file__).parent / "static"
_EXPLORER = Path(explorer.__file__).parent / "static"
_STATIC = {
    "style.css": _EXPLORER,
    "icon.svg": _EXPLORER,
    "review.css": _OWN,
    "review.js": _OWN,
}
_POLICY = {
    # A page that sends forms must tell its origin, which it does not under "no-referrer".
    "Referrer-Policy": "same-origin",
    "Content-Security-Policy": POLICY["Content-Security-Policy"] + "; connect-src 'self'",
}
STANDARD = "standard"
"""What a form says for no category at all, so that nothing chosen is not a choice."""

FindClip = Callable[[str], Clip | None]


@dataclass(frozen=True, slots=True)
class Sent:
    """A POST request.

    Attributes:
        origin: The ``Origin`` header, empty without one.
        fetch_site: The ``Sec-Fetch-Site`` header likewise.
    """

    target: str
    host: str
    origin: str
    fetch_site: str
    body: bytes

    def is_from_here(self) -> bool:
        """Tell whether a page of this very server sent it."""
        if self.fetch_site not in ("", "same-origin"):
            return False
        if self.origin in ("", "null"):
            return self.fetch_site == "same-origin"
        return self.origin == f"http://{self.host}"


@dataclass(slots=True)
class Site:
    """What one reviewer is asked.

    Attributes:
        title: Of every page.
        items: What is asked, in order; items are numbered from 1.
        token: The first part of every address.
        host: What the server is bound to.
        find_clip: Reads a clip from the raw logs for its path; None without them.
        blind: Do not show what the teacher said.
    """

    title: str
    items: Sequence[Item]
    ledger: Ledger
    reviewer: str
    blind: bool
    token: str
    host: str
    find_clip: FindClip | None
    views: Prepared = field(init=False)
    paths: Prepared = field(init=False)

    def __post_init__(self) -> None:
        """Have threads ready; raw logs are read by one."""
        self.views = Prepared(self._view, ThreadPoolExecutor(2))
        self.paths = Prepared(self._path, ThreadPoolExecutor(1))

    def close(self) -> None:
        """Make nothing more."""
        for one in (self.views, self.paths):
            one.workers.shutdown(wait=False, cancel_futures=True)

    def answer(self, target: str, host: str) -> Response:
        """Answer a GET request for path and query, sent to a ``Host``."""
        asked = admit(target, host, self.token, self.host)
        if isinstance(asked, Response):
            return asked
        try:
            return self._page(*asked)
        except LookupError as error:
            return self._message(404, str(error.args[0]))
        except (OSError, ValueError) as error:
            return self._message(500, str(error))

    def receive(self, sent: Sent) -> Response:
        """Store what a form says, and lead to the next item; the reply tells of what is stored."""
        asked = admit(sent.target, sent.host, self.token, self.host)
        if isinstance(asked, Response):
            return asked
        if not sent.is_from_here():
            return text_response(403, "Only this server's own pages may send decisions.")
        match = re.fullmatch(r"item/(\d{1,9})", asked[0])
        number = int(match[1]) if match else 0
        if not 1 <= number <= len(self.items):
            return self._message(404, "There is no such item.")
        try:
            form = parse_qs(sent.body.decode("ascii"), keep_blank_values=True, max_num_fields=50)
            return self._to(self._act(number, form))
        except ChangedMeanwhileError as error:
            return self._shown(number, 409, f"{error}. Look again.")
        except (OSError, ValueError) as error:
            status = 500 if isinstance(error, OSError) else 400
            return self._shown(number, status, f"Not stored: {error}.")

    def _page(self, path: str, asked: Mapping[str, str]) -> Response:
        if path in _STATIC:
            return static_response(_STATIC[path] / path)
        self.ledger.read()
        if not path:
            return self._to(self._open_after(0))
        if path == "done":
            return self._html(200, pages.done_page(self._frame()))
        match = re.fullmatch(r"(item|view|image|path)/(\d{1,9})(?:/(\d{1,4}))?", path)
        if match is None:
            raise LookupError("There is no such page.")
        number, k = int(match[2]), int(match[3] or 0)
        if match[1] == "item" and match[3] is None:
            return self._shown(number)
        if k >= len(self._item(number).images):
            raise LookupError(f"Item {number} has no image {k}.")
        return self._image(match[1], (number, k))

    def _item(self, number: int) -> Item:
        if not 1 <= number <= len(self.items):
            raise LookupError(f"There are items 1 to {len(self.items)}.")
        return self.items[number - 1]

    def _shown(self, number: int, status: int = 200, notice: str = "") -> Response:
        """Return an item's page, and begin to prepare the next ones."""
        item = self._item(number)
        after = [n for n in range(number, len(self.items) + 1)][: _AHEAD + 1]
        places = [(n, k) for n in after for k in range(len(self.items[n - 1].images))]
        self.views.ahead(places)
        if self.find_clip:
            self.paths.ahead(places)
        page = pages.item_page(
            self._frame(),
            pages.Shown(
                number=number,
                item=item,
                decision=self.ledger.of(self.reviewer).get(item.key),
                version=self.ledger.version(self.reviewer, item.key),
                paths=self.find_clip is not None,
                ahead=places[len(item.images) :],
                notice=notice,
            ),
        )
        return self._html(status, page)

    def _image(self, what: str, place: Place) -> Response:
        if what == "view":
            return Response(200, "image/jpeg", self.views.get(place), kept_s=3600)
        if what == "path":
            return Response(200, "image/svg+xml", self.paths.get(place), kept_s=3600)
        return image_response(self._item(place[0]).places[place[1]])

    def _view(self, place: Place) -> bytes:
        return small_jpeg(self._item(place[0]).places[place[1]], _VIEW_PX)

    def _path(self, place: Place) -> bytes:
        """Draw where the ego really went; clear where that is not known."""
        from impromptu.explorer.drawing import TRUE, Route, on_image, xy
        from impromptu.explorer.pages import overlay
        from impromptu.pictures import TRUTH

        item = self._item(place[0])
        clip = self.find_clip(item.clip) if self.find_clip and item.clip else None
        if clip is None or not len(clip.future.t_s):
            return overlay(None).encode()
        routes = [Route(TRUE, TRUTH, xy(clip.future))]
        return overlay(on_image(clip, item.images[place[1]], item.kind, routes)).encode()

    def _act(self, number: int, form: Mapping[str, Sequence[str]]) -> int:
        """Do what a form says; return the number of the item to show next."""
        item, what = self._item(number), form.get("do", [""])[0]
        if what == "undo":
            undone = self.ledger.undo(self.reviewer)
            known = enumerate((one.key for one in self.items), start=1)
            return next((n for n, key in known if undone and key == undone.key), number)
        version = form.get("version", [""])[0]
        if what == "save":
            value = _value(item, form)
            decision = decide(item, self.reviewer, "accept", value, self.blind)
        elif what == "reject":
            decision = decide(item, self.reviewer, "reject", (), self.blind)
        elif what == "skip":
            decision = decide(item, self.reviewer, "skip", (), self.blind)
        else:
            raise ValueError(f"expected save, reject, skip or undo, got {what!r:.40}")
        self.ledger.append(decision, version)
        return self._open_after(number)

    def _open_after(self, number: int) -> int:
        """Return the next item without a decision, from the first on after the last; 0: none."""
        standing = self.ledger.of(self.reviewer)
        for place in chain(range(number, len(self.items)), range(number)):
            item = self.items[place]
            if (known := standing.get(item.key)) is None or not known.is_about(item):
                return place + 1
        return 0

    def _frame(self) -> pages.Frame:
        standing = self.ledger.of(self.reviewer)
        known = [standing.get(item.key) for item in self.items]
        verdicts = [
            one.verdict
            for item, one in zip(self.items, known, strict=True)
            if one is not None and one.is_about(item)
        ]
        here = f"/{self.token}/"
        return pages.Frame(self.title, self.reviewer, self.blind, here, len(self.items), verdicts)

    def _to(self, number: int) -> Response:
        where = f"/{self.token}/" + (f"item/{number}" if number else "done")
        return Response(303, "text/plain", b"", more=_POLICY | {"Location": quote(where)})

    def _html(self, status: int, text: str) -> Response:
        page = html_response(status, text)
        return Response(page.status, page.kind, page.body, more=_POLICY)

    def _message(self, status: int, text: str) -> Response:
        return self._html(status, pages.message_page(self._frame(), text))


def _value(item: Item, form: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return what was chosen or written.

    Raises:
        ValueError: Nothing, or a standard scene and a category besides.
    """
    given = form.get("value", [])
    if item.kind not in CHOICES:
        return [one.replace("\r\n", "\n") for one in given]
    if not given:
        raise ValueError("nothing is chosen")
    if STANDARD in given and len(given) > 1:
        raise ValueError("a standard scene has no category")
    return [one for one in given if one != STANDARD]


class ReviewHandler(Handler):
    """Takes decisions besides."""

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        """Answer a form."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,9}", length) or int(length) > _LARGEST_BODY:
            self.close_connection = True
            self.send(text_response(413, "Expected a form of at most 1 MB."))
            return
        head = (self.headers.get(name, "") for name in ("Host", "Origin", "Sec-Fetch-Site"))
        host, origin, fetch_site = head
        sent = Sent(self.path, host, origin, fetch_site, self.rfile.read(int(length)))
        site = self.server.site
        if isinstance(site, Site):
            self.send(site.receive(sent))
