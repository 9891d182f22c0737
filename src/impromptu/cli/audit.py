"""What is wrong with samples, ours or others': leaks, contradictions, duplicates, faults."""

import argparse
from pathlib import Path

from impromptu import audits, plugins
from impromptu.auditing import NOT_DONE, Result, audit
from impromptu.audits import Finding
from impromptu.cli import Command
from impromptu.files import require_file_places, write_json
from impromptu.report import audit_page


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    names = plugins.names(audits)
    parser.epilog = (
        "exit codes: 0 nothing wrong, 1 warnings, 2 errors such as a leak, "
        f"{NOT_DONE} not audited: wrong flags, or no such file"
    )
    add = parser.add_argument
    text = "JSON list, JSON lines or .tar shards of ShareGPT samples, or folders of them"
    add("inputs", nargs="+", type=Path, metavar="FILE|DIR", help=text)
    add("--json", type=Path, metavar="FILE", help="write all findings as JSON [not written]")
    add("--html", type=Path, metavar="FILE", help="write a page to read [not written]")
    add("--media_dir", type=Path, metavar="DIR", help="where image paths start [found by itself]")
    known = f"of {', '.join(names)}"
    add("--only", nargs="+", choices=names, metavar="NAME", help=f"audits to make, {known} [all]")
    add(
        "--skip",
        nargs="+",
        choices=names,
        metavar="NAME",
        default=[],
        help="audits to leave out [none]",
    )


def run(args: argparse.Namespace) -> int:
    """Audit; return 2 if there is an error, 1 if there is a warning, else 0."""
    chosen = args.only or plugins.names(audits)
    names = [name for name in chosen if name not in args.skip]
    if not names:
        raise ValueError("no audit is left: --skip names all that were chosen")
    if args.media_dir and not args.media_dir.is_dir():
        raise FileNotFoundError(f"{args.media_dir}: no such folder; --media_dir holds the images")
    require_file_places(args.json, args.html)
    result = audit(args.inputs, names, args.media_dir)
    for section in result.sections:
        for finding in section.findings:
            _tell(section.name, finding)
    _tell_sum(result)
    if args.json:
        write_json(args.json, result.to_json())
    if args.html:
        audit_page.write(args.html, result)
    return result.exit_code


def _tell(name: str, finding: Finding) -> None:
    print(f"{finding.severity:7}  {name}/{finding.name}: {finding.text}")
    if finding.severity != "note":
        for example in finding.examples[:3]:
            print(f"             {example}")


def _tell_sum(result: Result) -> None:
    counts = ", ".join(f"{result.count(kind):,} {kind}s" for kind in ("error", "warning", "note"))
    print(f"{result.records:,} records in {len(result.files):,} files: {counts}")


COMMAND = Command(
    "faults of samples: leaks, contradictions, duplicates", add_arguments, run, NOT_DONE
)
