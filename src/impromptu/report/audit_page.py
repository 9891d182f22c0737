"""The findings of an audit as one self-contained HTML page."""

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from impromptu.auditing import EXIT_CODES, Result
from impromptu.files import atomic_writer

_VERDICTS = {2: "Not fit for training or scoring as it is", 1: "Read the warnings", 0: "Clean"}


def write(path: Path, result: Result) -> None:
    """Write the page; all text of the samples is escaped."""
    environment = Environment(
        loader=PackageLoader("impromptu.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("audit.html.jinja").render(
        result=result,
        verdict=_VERDICTS[result.exit_code],
        counts={severity: result.count(severity) for severity in EXIT_CODES},
        worst={s.name: s.findings[0].severity if s.findings else "clean" for s in result.sections},
    )
    with atomic_writer(path) as file:
        file.write(page)
