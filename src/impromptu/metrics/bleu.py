"""Corpus BLEU of free text against the one true text, as sacrebleu counts it.

n-grams of up to four words are counted over all samples before the ratio is taken, so a group's
score is that of its own counts. A sentence can be right in quite other words: it tells drifts
between runs of one model, not which of two models is right.
"""

from collections.abc import Sequence

import numpy as np

from impromptu.arrays import Floats
from impromptu.metrics import Metric, Sums
from impromptu.metrics._text import text_package

ORDERS = (1, 2, 3, 4)
_COLUMNS = (*(f"right_{n}" for n in ORDERS), *(f"told_{n}" for n in ORDERS), "words", "true_words")


def sums(predicted: Sequence[str], true: Sequence[str]) -> dict[str, Floats]:
    """Count n-grams told and right, and words, of each sample.

    Raises:
        ModuleNotFoundError: sacrebleu is not installed.
    """
    # The flag concerns a sentence's own score, which is not used; without it there is a warning.
    bleu = text_package("sacrebleu.metrics").BLEU(effective_order=True)
    scores = [bleu.sentence_score(p, [t]) for p, t in zip(predicted, true, strict=True)]
    rows = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in scores]
    return dict(zip(_COLUMNS, np.array(rows, dtype=np.float64).T, strict=True))


def figures(sums: Sums) -> dict[str, Floats]:
    """Return BLEU, from 0 to 1."""
    compute = text_package("sacrebleu.metrics").BLEU.compute_bleu
    counts = np.stack([np.asarray(sums[name]) for name in _COLUMNS], axis=-1)
    whole = counts.reshape(-1, len(_COLUMNS)).astype(np.int64).tolist()
    scores = [compute(row[:4], row[4:8], row[8], row[9]).score / 100 for row in whole]
    return {"bleu": np.array(scores).reshape(counts.shape[:-1])}


METRIC = Metric(
    convention="sacrebleu: corpus BLEU-4, 13a tokens, exponential smoothing, one true text",
    unit="share",
    higher_is_better=True,
    sums=sums,
    figures=figures,
    headline="bleu",
)
