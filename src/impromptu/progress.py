"""Tell how far long work has come: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

PLAIN_EVERY_S = 10.0


def _nothing() -> str:
    return ""


def track(
    items: Iterable[T], total: int, unit: str, label: str, more: Callable[[], str] = _nothing
) -> Iterator[T]:
    """Yield the items; on the way, show count, rate and time left on the error stream.

    Args:
        items: What is worked on.
        total: How many there are.
        unit: What they are.
        label: What is done.
        more: What else to show at a moment.
    """
    if sys.stderr.isatty():
        bar = tqdm(items, total=total, unit=unit, desc=label, dynamic_ncols=True)
        for item in bar:
            yield item
            bar.set_postfix_str(more(), refresh=False)
        return
    began_s = told_s = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now_s = time.monotonic()
        if now_s - told_s >= PLAIN_EVERY_S or done == total:
            told_s = now_s
            told = f", {more()}" if more() else ""
            sys.stderr.write(_line(done, total, unit, label, now_s - began_s) + told + "\n")


def _line(done: int, total: int, unit: str, label: str, elapsed_s: float) -> str:
    rate_hz = done / max(elapsed_s, 1e-9)
    left_s = (total - done) / rate_hz
    return f"{label}: {done}/{total} {unit}, {rate_hz:.1f} {unit}/s, {left_s:.0f} s left"
