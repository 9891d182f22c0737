"""Says in words whether a model does better than baselines that see no image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from impromptu.report.runs import Run

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
class Score:
    """One run's figure on a file of samples.

    Attributes:
        value: None where there is none.
        read: Answers it is over.
        asked: Samples in the file.
    """

    run: str
    value: float | None
    read: int
    asked: int


def verdicts(runs: Sequence[Run], results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a sentence for each model among runs that were asked one file of samples.

    Args:
        runs: Those that were asked.
        results: Of each run, what ``evaluation.Evaluation.to_json`` returns.
    """
    told = {name: metric for result in results for name, metric in result["metrics"].items()}
    if (chosen := headline(told)) is None:
        return []
    name, figure = chosen
    metric = told[name]
    scores = [_score(run, result, name) for run, result in zip(runs, results, strict=True)]
    baselines = [score for run, score in zip(runs, scores, strict=True) if run.role == "baseline"]
    unit = metric["units"].get(figure, "")
    return [
        verdict(score, baselines, f"{name} {figure}", unit, metric["higher_is_better"])
        for run, score in zip(runs, scores, strict=True)
        if run.role == "model"
    ]


def headline(told: Iterable[str]) -> tuple[str, str] | None:
    """Return metric and figure by which runs are compared, of the metrics that there are."""
    names = set(told)
    return next(((name, of) for name, of in HEADLINES.items() if name in names), None)


def _score(run: Run, result: Mapping[str, Any], metric: str) -> Score:
    figures = result["metrics"].get(metric, {"figures": {}})["figures"]
    return Score(run.name, figures.get(HEADLINES[metric]), result["read"], result["asked"])


def verdict(
    model: Score, baselines: Sequence[Score], figure: str, unit: str, higher_is_better: bool
) -> str:
    """Return one sentence: a model's figure against the best baseline's.

    A tie does not beat anything.

    Args:
        model: Whose figure is judged.
        baselines: Those that answered the same samples.
        figure: Its name, as people read it.
        unit: Its unit.
        higher_is_better: Which way is better.
    """
    sign = 1.0 if higher_is_better else -1.0
    scored = [(sign * one.value, one) for one in baselines if one.value is not None]
    if model.value is None:
        return f"{model.run} has no figure for {figure}, so it beats nothing."
    if not scored:
        return (
            f"No baseline has a figure for {figure}, so nothing tells what {model.run} adds to the "
            "numbers in the prompt."
        )
    best_value, best = max(scored, key=lambda pair: pair[0])
    told = f"{figure} {_of(model, unit)} against {_of(best, unit)}"
    if sign * model.value > best_value:
        return f"{model.run} beats every baseline, the best of which is {best.run}: {told}."
    beaten_by = [one.run for value, one in scored if value >= sign * model.value]
    others = len(beaten_by) - 1
    more = f", nor {others} other baseline{'s' if others > 1 else ''}" if others else ""
    return f"{model.run} does not beat {best.run}, which sees no image{more}: {told}."


def _of(score: Score, unit: str) -> str:
    """Write ``0.300 m``, and of how many answers where some could not be read."""
    part = "" if score.read == score.asked else f" over {score.read} of {score.asked} samples"
    return f"{score.value:.3f} {unit}{part}"
