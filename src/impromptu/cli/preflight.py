"""What a training would lose, how long it is and what it takes, before a GPU is rented."""

import argparse
import os
from pathlib import Path

from impromptu.auditing import Section
from impromptu.audits import Finding
from impromptu.cli import Command
from impromptu.files import require_file_places, write_json
from impromptu.preflight import Asked, Report, preflight

_CODES = (
    "exit code: 0 nothing would be lost; 1 training would fail, lose data, learn what is held out, "
    "or something could not be checked; 2 the YAML or the flags cannot be read"
)
_EXAMPLES = 3
_MARKS = {"error": "ERROR", "warning": "warning", "note": ""}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.epilog = _CODES
    add = parser.add_argument
    add("yaml", type=Path, metavar="TRAIN.yaml", help="a training for llamafactory-cli train")
    text = "replaces a value of the YAML, as after llamafactory-cli train TRAIN.yaml"
    add("overrides", nargs="*", default=[], metavar="key=value", help=text)
    add("--json", type=Path, metavar="FILE", help="write everything as JSON")
    text = "write every sample that is cut, skipped or stops the training, a line of JSON each"
    add("--lost", type=Path, metavar="FILE", help=text)
    cores = os.cpu_count() or 1
    add("--workers", type=int, default=cores, metavar="N", help="processes [%(default)s]")
    add("--gpus", type=int, default=1, metavar="N", help="GPUs in all [%(default)s]")
    text = "tokens a second of one GPU, measured; without it no time is told"
    add("--tokens_per_s", type=float, metavar="X", help=text)
    text = "names of the registry that are held out [all that say val or test, and eval_dataset]"
    add("--held_out", nargs="+", metavar="NAME", help=text)


def run(args: argparse.Namespace) -> int:
    """Look, tell, and return the exit code."""
    for name in ("workers", "gpus"):
        if getattr(args, name) < 1:
            raise ValueError(f"--{name} {getattr(args, name)}: expected at least 1")
    if args.tokens_per_s is not None and not 0 < args.tokens_per_s < float("inf"):
        raise ValueError(f"--tokens_per_s {args.tokens_per_s}: expected a number over 0")
    require_file_places(args.json, args.lost)
    asked = Asked(
        args.yaml,
        tuple(args.overrides),
        None if args.held_out is None else tuple(args.held_out),
        args.gpus,
        args.tokens_per_s,
        args.workers,
        args.lost,
    )
    report = preflight(asked)
    _tell(report)
    if args.json:
        write_json(args.json, report.to_json())
    return report.exit_code


def _tell(report: Report) -> None:
    """Print the sections, those with problems first."""
    order = ("error", "warning", "note")
    for severity in order:
        for section in report.sections:
            if section.findings[0].severity == severity:  # each section has its gravest first
                _tell_section(section)
    found = {kind: sum(1 for _ in report.of(kind)) for kind in order}
    counts = ", ".join(f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in found.items())
    verdict = "do not start" if report.exit_code else "nothing would be lost"
    print(f"\n{report.path}: {verdict} ({counts})")


def _tell_section(section: Section) -> None:
    print(f"\n{section.title}")
    for finding in section.findings:
        _tell_finding(finding)


def _tell_finding(finding: Finding) -> None:
    mark = _MARKS[finding.severity]
    print(f"  {mark:7} {finding.text}")
    if finding.severity != "note":
        for example in finding.examples[:_EXAMPLES]:
            print(f"            {example}")
    if finding.table:
        widths = [max(len(cell) for cell in column) for column in zip(*finding.table, strict=True)]
        for row in finding.table:
            cells = (cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))
            print("            " + "  ".join([row[0].ljust(widths[0]), *cells]))


COMMAND = Command("what a training would lose and take, before it starts", add_arguments, run)
