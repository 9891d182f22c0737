"""ROUGE-L of free text against the one true text: the longest common run of words, in order.

The mean over samples of the F-measure, as rouge-score counts it. What ``bleu`` warns of holds
here too.
"""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums, ratio
from impromptu.metrics._text import text_package


def sums(predicted: Sequence[str], true: Sequence[str]) -> dict[str, Floats]:
    """Return the F-measure of each sample.

    Raises:
        ModuleNotFoundError: rouge-score is not installed.
    """
    scorer = text_package("rouge_score.rouge_scorer").RougeScorer(["rougeL"])
    pairs = zip(true, predicted, strict=True)
    f_measures = [scorer.score(there, told)["rougeL"].fmeasure for there, told in pairs]
    return {"f": np.array(f_measures, dtype=np.float64), "samples": np.ones(len(true))}


def figures(sums: Sums) -> dict[str, Floats]:
    """Return the mean F-measure."""
    return {"f": ratio(sums["f"], sums["samples"])}


METRIC = Metric(
    convention="rouge-score: mean ROUGE-L F-measure, no stemming, one true text",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="f",
)
