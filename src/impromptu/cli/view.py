"""A local page to browse samples and predictions."""

import argparse
import os
import secrets
import sqlite3
import sys
import tempfile
from pathlib import Path
from threading import Lock, Thread

from impromptu.cli import Command
from impromptu.clip_lookup import ClipReader
from impromptu.explorer.index import Index, prepare
from impromptu.explorer.server import Site
from impromptu.files import require_writable
from impromptu.local_server import Server


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    add("dir", type=Path, metavar="DIR", help="sample files: a folder, or one JSON file")
    more = "answers of an engine: a .jsonl file, or a folder of a run, or of runs [none]"
    add("--predictions", type=Path, nargs="+", default=[], metavar="PATH", help=more)
    add("--data_raw", type=Path, metavar="DIR", help="raw logs, to draw paths on the images [none]")
    add("--host", default="127.0.0.1", metavar="HOST", help="another lets others in")
    add("--port", type=int, default=0, metavar="N", help="where to serve [a free one]")
    add("--cache", type=Path, default=_cache(), metavar="DIR", help="for the index")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; the index is built while pages can already be had."""
    if args.data_raw and not args.data_raw.is_dir():
        raise FileNotFoundError(f"{args.data_raw}: no such folder; --data_raw holds the datasets")
    require_writable(args.cache)
    index = prepare(args.dir, args.predictions, args.cache)
    with tempfile.TemporaryDirectory() as scratch:
        find = ClipReader(args.data_raw, Path(scratch)).find if args.data_raw else None
        site = Site(index, secrets.token_urlsafe(16), args.host, find, Lock())
        with _server(site, args.host, args.port) as server:
            print(f"{server.address(site.token)}\nopen it in a browser; Ctrl+C ends it", flush=True)
            Thread(target=_build, args=[index], daemon=True).start()
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
    return 0


def _server(site: Site, host: str, port: int) -> Server:
    """Take the port; where it cannot be had, let another process build the index."""
    try:
        return Server(site, host, port)
    except ValueError:
        if site.index.lock:
            site.index.lock.close()
        raise


def _build(index: Index) -> None:
    """Build the index; what stops it is told here, since nobody waits for it."""
    try:
        index.build()
        for problem in index.problems():
            print(f"not shown: {problem}", file=sys.stderr)
    except (OSError, sqlite3.Error) as error:
        print(f"error: the index could not be built: {error}", file=sys.stderr)


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "impromptu"


COMMAND = Command("a local page to browse samples and predictions", add_arguments, run)
