"""Says in words whether a model does better than baselines that see no image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from impromptu import metrics, plugins
from impromptu.metrics import Metric
from impromptu.report.runs import Entry, SampleFile, shared

HEADLINES = {
    "l2_stp3": "avg",
    "ade_fde": "ade",
    "plan_accuracy": "both",
    "intention_f1": "both_f1",
    "vru_f1": "f1",
    "light_accuracy": "accuracy",
}
"""The figure by which runs are compared, by metric; of several metrics the first here counts."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A baseline beside a model, over the samples that both answered readably.

    Attributes:
        name: Of the baseline.
        own: Its figure.
        model: The model's.
        both: How many samples both are over.
    """

    name: str
    own: float
    model: float
    both: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A model, its baselines, and the figure by which they are compared.

    Attributes:
        read: Answers of the model that could be read.
        asked: Samples in the file.
        figure: Its name, as people read it.
        unit: Its unit.
        higher_is_better: Which way is better.
    """

    model: str
    read: int
    asked: int
    rivals: Sequence[Rival]
    figure: str
    unit: str
    higher_is_better: bool

    def lead(self, rival: Rival) -> float:
        """Return by how much the model is better than one of its rivals."""
        lead = rival.model - rival.own
        return lead if self.higher_is_better else -lead


def verdicts(file: SampleFile) -> list[str]:
    """Return a sentence for each model among the runs that were asked one file of samples."""
    if (chosen := headline(file.metrics)) is None:
        return []
    return [
        _verdict_on(entry, file, *chosen) for entry in file.entries if entry.run.role == "model"
    ]


def headline(told: Iterable[str]) -> tuple[str, str] | None:
    """Return metric and figure by which runs are compared, of the metrics that there are."""
    names = set(told)
    return next(((name, of) for name, of in HEADLINES.items() if name in names), None)


def _verdict_on(entry: Entry, file: SampleFile, name: str, figure: str) -> str:
    told, metric = f"{name} {figure}", plugins.load(metrics, name, Metric)
    if entry.evaluation.figures.get(name, {}).get(figure) is None:
        return f"{entry.run.name} has no figure for {told}, so it beats nothing."
    baselines = [one for one in file.entries if one.run.role == "baseline"]
    rivals = [_rival(entry, one, name, figure, metric) for one in baselines]
    return verdict(
        Trial(
            entry.run.name,
            entry.result["read"],
            entry.result["asked"],
            [one for one in rivals if one is not None],
            told,
            metric.unit_of(figure),
            metric.higher_is_better,
        )
    )


def _rival(entry: Entry, other: Entry, name: str, figure: str, metric: Metric) -> Rival | None:
    """Compare like with like: who answers the easy samples alone is not better for it."""
    ids, sums = shared(entry, other, name)
    model, own = (metric.total(of).get(figure) if ids else None for of in sums)
    if model is None or own is None:
        return None
    return Rival(other.run.name, own, model, len(ids))


def verdict(trial: Trial) -> str:
    """Return one sentence: a model's figure against the best baseline's.

    A tie does not beat anything, and neither does who is ahead on a part of the samples.
    """
    if not trial.rivals:
        return (
            f"No baseline has a figure for {trial.figure}, so nothing tells what {trial.model} "
            "adds to the numbers in the prompt."
        )
    best = min(trial.rivals, key=trial.lead)
    told = f"{trial.figure} {best.model:.3f} {trial.unit} against {best.own:.3f} {trial.unit}"
    if best.both < trial.asked:
        told += f", on the {best.both} of {trial.asked} samples that both answered"
    if trial.lead(best) > 0:
        return f"{_ahead(trial)} every baseline, the best of which is {best.name}: {told}."
    others = sum(trial.lead(one) <= 0 for one in trial.rivals) - 1
    more = f", nor {others} other baseline{'s' if others > 1 else ''}" if others else ""
    return f"{trial.model} does not beat {best.name}, which sees no image{more}: {told}."


def _ahead(trial: Trial) -> str:
    if trial.read == trial.asked:
        return f"{trial.model} beats"
    return (
        f"{trial.model} left {trial.asked - trial.read} of {trial.asked} samples without a "
        "readable answer, so it beats nothing as a whole; where it answered it is ahead of"
    )
