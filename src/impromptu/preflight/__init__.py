"""Looks at a training before it starts: what would be lost, how long it is and what it takes."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from impromptu.auditing import Section, named
from impromptu.audits import Finding
from impromptu.files import atomic_writer
from impromptu.preflight import summary
from impromptu.preflight.examine import Job
from impromptu.preflight.model import Weights, find_checkpoint, read_rules, read_weights, zero_stage
from impromptu.preflight.parser import Parser
from impromptu.preflight.plan import Plan, read_plan
from impromptu.preflight.reading import BOTH, Reading
from impromptu.preflight.sources import find_sources
from impromptu.preflight.tokens import TEMPLATES, Rules
from impromptu.preflight.yaml_checks import check_template, check_yaml

__all__ = ["Asked", "Report", "preflight"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What to look at, and what cannot be read anywhere.

    Attributes:
        path: The YAML.
        overrides: ``key=value`` each, as after ``llamafactory-cli train``.
        held_out: Names held out; by default all whose name says val or test.
        gpus: GPUs that train, in all.
        tokens_per_s: Measured on one GPU.
        workers: Processes that examine samples.
        lost: Where every sample is written that is cut, skipped or stops the training.
    """

    path: Path
    overrides: tuple[str, ...] = ()
    held_out: tuple[str, ...] | None = None
    gpus: int = 1
    tokens_per_s: float | None = None
    workers: int = 1
    lost: Path | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, in sections."""

    path: Path
    sections: tuple[Section, ...]

    @property
    def exit_code(self) -> int:
        """1 with an error, else 0."""
        return int(any(self.of("error")))

    def of(self, severity: str) -> Iterator[Finding]:
        """Yield the findings of a severity."""
        found = (finding for section in self.sections for finding in section.findings)
        return (finding for finding in found if finding.severity == severity)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "yaml": str(self.path),
            "exit_code": self.exit_code,
            "sections": {
                section.name: [asdict(finding) for finding in section.findings]
                for section in self.sections
            },
        }


def preflight(asked: Asked) -> Report:
    """Look at a training.

    Raises:
        FileNotFoundError: There is no such YAML.
        ValueError: It is none, or a value in it has a wrong type.
        OSError: A worker process died.
    """
    plan = read_plan(asked.path, asked.overrides)
    parser = Parser(asked.path, asked.overrides)
    try:
        return _preflight(asked, plan, parser)
    finally:
        parser.close()


def _preflight(asked: Asked, plan: Plan, parser: Parser) -> Report:
    checkpoint, of_checkpoint = _checkpoint(plan)
    of_yaml = [*check_yaml(plan), *check_template(plan, checkpoint)]
    rules, of_tokens = _rules(plan, checkpoint)
    weights, of_weights = _weights(plan, checkpoint)
    sources = find_sources(plan, asked.held_out)
    with atomic_writer(asked.lost) if asked.lost else nullcontext() as lost:
        reading = Reading(plan, sources.datasets, lost)
        reading.read(Job(rules, str(plan.images_from)), asked.workers)
    steps, exact = summary.overview(plan, reading, asked.gpus)
    size = [summary.told_steps(plan, steps, exact, asked.gpus)] if steps.sequences else []
    if weights:
        stage = _stage(plan)
        size += summary.told_memory(plan, weights, stage, asked.gpus, reading.kept)
    size.append(summary.told_time(plan, reading, steps, asked.gpus, asked.tokens_per_s))
    of_data = [*sources.findings, *summary.samples(plan, reading)]
    found = {
        "yaml": ("The YAML", [*of_yaml, parser.finding()]),
        "model": ("The model", [*of_checkpoint, *of_tokens, *of_weights]),
        "samples": ("Samples", [*of_data, *summary.left_out(plan, reading, steps)]),
        "tokens": ("Tokens", list(summary.lengths(plan, reading))),
        **_audited(reading, rules),
        "size": ("Steps, memory, time", size),
    }
    sections = [
        Section(name, title, named(findings, reading.files))
        for name, (title, findings) in found.items()
    ]
    return Report(asked.path, tuple(section for section in sections if section.findings))


def _audited(reading: Reading, rules: Rules | None) -> dict[str, tuple[str, list[Finding]]]:
    """Return what the audits found, by section."""
    found = {name: list(check.findings()) for name, check in reading.checks.items()}
    overlap = [finding for name in BOTH for finding in found[name]]
    if not reading.held_out:
        text = "Nothing is held out in this registry: no overlap can be looked for."
        overlap.append(Finding("note", "nothing_held_out", text))
    spoken = [*found["vocabulary"], *found["balance"], *summary.words(reading, rules)]
    return {
        "answers": ("Answers", spoken),
        "duplicates": ("Duplicates", found["duplicates"]),
        "overlap": ("Overlap of training and test", overlap),
    }


def _checkpoint(plan: Plan) -> tuple[Path | None, list[Finding]]:
    try:
        return find_checkpoint(plan.model_name_or_path), []
    except (OSError, ValueError, ModuleNotFoundError) as error:
        text = f"No tokens were counted, no memory computed: {_told(error)}"
        return None, [Finding("error", "no_model", text)]


def _rules(plan: Plan, checkpoint: Path | None) -> tuple[Rules | None, list[Finding]]:
    if plan.template not in TEMPLATES or checkpoint is None:
        return None, []  # told already
    try:
        return read_rules(plan, checkpoint), []
    except (OSError, ValueError, ModuleNotFoundError) as error:
        text = f"No tokens were counted: {_told(error)}"
        return None, [Finding("error", "no_tokenizer", text)]


def _weights(plan: Plan, checkpoint: Path | None) -> tuple[Weights | None, list[Finding]]:
    if checkpoint is None:
        return None, []
    try:
        return read_weights(plan, checkpoint), []
    except (OSError, ValueError, ModuleNotFoundError) as error:
        text = f"No memory was computed: {_told(error)}"
        return None, [Finding("warning", "no_weights", text)]


def _told(error: Exception) -> str:
    return " ".join([str(error), *getattr(error, "__notes__", ())])


def _stage(plan: Plan) -> int:
    try:
        return zero_stage(Path(plan.deepspeed)) if plan.deepspeed else 0
    except (OSError, ValueError):
        return 0  # told with the YAML
