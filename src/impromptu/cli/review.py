"""A local page where people verify a teacher's answers, and figures of how they agree."""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from impromptu.cli import Command
from impromptu.cli._parser import seed
from impromptu.cli._review_tables import review_lines
from impromptu.clip_lookup import ClipReader
from impromptu.files import require_writable, write_json
from impromptu.local_server import Server
from impromptu.review.decisions import FILE, Ledger, open_ledger, reviewer_name
from impromptu.review.draw import PUBLISHED, Draw, open_draw, told
from impromptu.review.figures import figures
from impromptu.review.items import CHOICES
from impromptu.review.server import ReviewHandler, Site
from impromptu.review.writing import write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    add = parser.add_argument
    what = "what a teacher said: sample files of q3, q4, q5, or labels as JSON lines"
    add("--dir", type=Path, required=True, metavar="DIR", help=what)
    add("--out", type=Path, metavar="DIR", help="draw and decisions [DIR/review]")
    add("--reviewer", metavar="NAME", help="who decides; each sees only what they decided")
    add("--blind", action="store_true", help="do not show the teacher's label (not q3, q5)")
    add("--draw", type=int, metavar="N", help=f"how many to review [{PUBLISHED}]")
    add("--seed", type=seed, metavar="N", help="of the draw [0]")
    add("--data_raw", type=Path, metavar="DIR", help="raw logs, to draw paths on the images [none]")
    add("--host", default="127.0.0.1", metavar="HOST", help="another lets others in")
    add("--port", type=int, default=0, metavar="N", help="where to serve [a free one]")
    add("--figures", action="store_true", help="do not serve: tell how teacher and people agree")
    to = "do not serve: write what was accepted or edited, of --reviewer or where all agree"
    add("--write", type=Path, metavar="DIR", help=to)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; or write figures and files."""
    out = args.out or (args.dir if args.dir.is_dir() else args.dir.parent) / "review"
    serving = not (args.figures or args.write)
    reviewer = reviewer_name(args.reviewer) if args.reviewer is not None else None
    if serving and reviewer is None:
        raise ValueError("say who reviews: --reviewer NAME; decisions are kept by name")
    if args.draw is not None and args.draw < 1:
        raise ValueError(f"--draw {args.draw}: expected at least 1")
    if args.data_raw and not args.data_raw.is_dir():
        raise FileNotFoundError(f"{args.data_raw}: no such folder; --data_raw holds the datasets")
    if not args.dir.exists():
        raise FileNotFoundError(f"{args.dir}: no such folder")
    if not serving and not (out / FILE).exists():
        raise FileNotFoundError(f"{out / FILE}: nobody has decided anything yet")
    require_writable(out)
    draw = open_draw(args.dir, out, args.draw, args.seed)  # first: may find nothing
    ledger = open_ledger(out / FILE)
    _tell_losses(draw, ledger)
    if serving:
        _serve(args, draw, ledger, str(reviewer))
    if args.figures:
        _figures(draw, ledger, out)
    if args.write:
        _write(draw, ledger, reviewer, args.dir, args.write)
    return 0


def _tell_losses(draw: Draw, ledger: Ledger) -> None:
    lines = told(draw.dropped)
    if draw.gone:
        lines.append(f"{len(draw.gone)} drawn once are gone, such as {draw.gone[0]}")
    if ledger.damaged:
        number, text = ledger.damaged[0]
        first = f"{ledger.path}: line {number}: {text}"
        lines.append(f"{len(ledger.damaged)} damaged decisions are passed over, such as {first}")
    for line in lines:
        print(line, file=sys.stderr)


def _serve(args: argparse.Namespace, draw: Draw, ledger: Ledger, reviewer: str) -> None:
    items = [item for item in draw.items if not args.blind or item.kind in CHOICES]
    if len(items) < len(draw.items):
        print(f"{len(draw.items) - len(items)} texts cannot be reviewed blind", file=sys.stderr)
    if not items:
        raise ValueError(f"{args.dir}: only texts are drawn; leave --blind out")
    with tempfile.TemporaryDirectory() as scratch:
        find = ClipReader(args.data_raw, Path(scratch)).find if args.data_raw else None
        token, title = secrets.token_urlsafe(16), args.dir.resolve().name
        site = Site(title, items, ledger, reviewer, args.blind, token, args.host, find)
        with Server(site, args.host, args.port, ReviewHandler) as server:
            decided = len(ledger.of(reviewer))
            print(f"{server.address(token)}\nopen it in a browser; Ctrl+C ends it")
            print(
                f"{len(items)} of {draw.total} items; {reviewer} has decided {decided}", flush=True
            )
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                print()
            finally:
                site.close()


def _figures(draw: Draw, ledger: Ledger, out: Path) -> None:
    result = figures(draw, ledger)
    write_json(out / "figures.json", result)
    for kind, found in result["kinds"].items():
        print("\n".join(review_lines(kind, found)))
    print(f"figures: {out / 'figures.json'}")


def _write(draw: Draw, ledger: Ledger, reviewer: str | None, source: Path, out: Path) -> None:
    if reviewer is not None and reviewer not in ledger.history:
        known = ", ".join(ledger.history) or "nobody"
        raise ValueError(f"{reviewer} has decided nothing; {known} has")
    counts = write(draw, ledger, reviewer, source, out)
    reasons = ", ".join(f"{many} {reason}" for reason, many in counts["dropped"].items())
    print(f"{counts['in']} in, {counts['out']} out, dropped: {reasons or 'none'}: {out}")


COMMAND = Command("a local page where people verify a teacher's answers", add_arguments, run)
