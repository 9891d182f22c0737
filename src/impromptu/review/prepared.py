"""Makes what a page will need before it is asked for, each thing once."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

Place = tuple[int, int]
"""Number of an item in the draw, from 1, and of one of its images, from 0."""


@dataclass(slots=True)
class Prepared:
    """Bytes by place, the last used kept.

    Attributes:
        make: Makes one; what it raises is raised by ``get``, and tried again next time.
        workers: Makes what is ahead; of one thread where ``make`` is not for several.
        room: How many are kept.
    """

    make: Callable[[Place], bytes]
    workers: ThreadPoolExecutor
    room: int = 48
    _kept: OrderedDict[Place, Future[bytes]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, place: Place) -> bytes:
        """Return it; wait where it is being made."""
        return self._future(place).result()

    def ahead(self, places: Iterable[Place]) -> None:
        """Begin to make some."""
        for place in places:
            self._future(place)

    def _future(self, place: Place) -> Future[bytes]:
        with self._lock:
            known = self._kept.get(place)
            if known is None or (known.done() and known.exception()):
                self._kept[place] = self.workers.submit(self.make, place)
                while len(self._kept) > self.room:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(place)
            return self._kept[place]
