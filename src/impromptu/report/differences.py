"""Two runs on the samples both answered: by how much one is ahead, and whether the logs tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from impromptu import metrics, plugins
from impromptu.conversation import clip_id, log_of
from impromptu.intervals import Interval, paired
from impromptu.metrics import Metric
from impromptu.report.runs import Entry, SampleFile, shared
from impromptu.report.verdict import headline

FEW_LOGS = 10
"""Bootstrap intervals of fewer clusters are known to be too narrow."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One run's headline less another's, over the samples that both answered readably.

    Attributes:
        value: None where either is 0 / 0.
        interval: 95 %, the same logs drawn for both; None where there is none.
        better: The run that is ahead if the interval leaves 0 out; else empty.
    """

    one: str
    other: str
    figure: str
    unit: str
    value: float | None
    interval: Interval | None
    samples: int
    logs: int
    better: str

    @property
    def words(self) -> str:
        """What follows."""
        if self.interval is None:
            return "no interval: the samples are not known to be of several logs"
        if self.logs < FEW_LOGS:
            return f"{self.logs} logs are too few to tell"
        if self.better:
            return f"{self.better} is better"
        return "the logs do not tell the two apart"


def differences(file: SampleFile) -> list[Difference]:
    """Compare every two models, and every model with its best baseline."""
    chosen = headline(file.metrics)
    if chosen is None:
        return []
    pairs = _pairs(file.entries, *chosen, file.metrics[chosen[0]]["higher_is_better"])
    found = [_difference(one, other, file.task, *chosen) for one, other in pairs]
    return [one for one in found if one is not None]


def _pairs(
    entries: Sequence[Entry], name: str, figure: str, higher_is_better: bool
) -> Iterator[tuple[Entry, Entry]]:
    models = [entry for entry in entries if entry.run.role == "model"]
    yield from combinations(models, 2)
    scored = [
        (value if higher_is_better else -value, -entry.position, entry)
        for entry in entries
        if entry.run.role == "baseline"
        and (value := entry.evaluation.figures.get(name, {}).get(figure)) is not None
    ]
    if scored:
        best = max(scored, key=lambda one: one[:2])[2]
        yield from ((model, best) for model in models)


def _difference(one: Entry, other: Entry, task: str, name: str, figure: str) -> Difference | None:
    metric = plugins.load(metrics, name, Metric)
    ids, sums = shared(one, other, name)
    if not ids:
        return None
    first, second = (metric.total(of).get(figure) for of in sums)
    logs = [log_of(clip_id(sample_id, task)) for sample_id in ids]
    told = one.result["bootstrap"]
    ends = (
        paired(metric, *sums, logs, told["resamples"], told["seed"]).get(figure)
        if all(logs)
        else None
    )
    return Difference(
        one=one.run.name,
        other=other.run.name,
        figure=f"{name} {figure}",
        unit=metric.unit_of(figure),
        value=None if first is None or second is None else first - second,
        interval=ends,
        samples=len(ids),
        logs=len(set(logs) - {""}),
        better=_better(one, other, ends, metric.higher_is_better),
    )


def _better(one: Entry, other: Entry, ends: Interval | None, higher_is_better: bool) -> str:
    if ends is None or ends[0] <= 0 <= ends[1]:
        return ""
    return (one if (ends[0] > 0) == higher_is_better else other).run.name
