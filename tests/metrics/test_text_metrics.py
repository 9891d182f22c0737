"""bleu and rouge_l: what they are on texts that can be counted by hand, and without the package."""

import sys

import pytest

from impromptu.metrics import Metric, bleu, rouge_l

TRUE = ["the car waits for the man", "it is dark"]


def test_bleu_is_that_of_the_counts_over_all_samples() -> None:
    pytest.importorskip("sacrebleu", reason="needs the text extra: sacrebleu")
    told = ["the car waits for the man", "it is bright"]
    sums = bleu.METRIC.sums(told, TRUE)
    assert [sums[f"right_{n}"].tolist() for n in (1, 2)] == [[6, 2], [5, 1]]
    # Words 8/9, pairs 6/7, triples 4/5, fours 3/3, equally long.
    want = (8 / 9 * 6 / 7 * 4 / 5) ** (1 / 4)
    assert bleu.METRIC.compare(told, TRUE)["bleu"] == pytest.approx(want)
    assert bleu.METRIC.compare(TRUE, TRUE)["bleu"] == pytest.approx(1)


def test_rouge_l_is_the_mean_of_the_longest_common_runs() -> None:
    pytest.importorskip("rouge_score", reason="needs the text extra: rouge-score")
    told = ["the car stops for a man", "it is dark"]
    # Four of six words in order, of both; then all three.
    assert rouge_l.METRIC.compare(told, TRUE)["f"] == pytest.approx((4 / 6 + 1) / 2)


@pytest.mark.parametrize("metric", [bleu.METRIC, rouge_l.METRIC])
def test_without_the_package_the_message_says_what_to_install(
    metric: Metric, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sacrebleu", "sacrebleu.metrics", "rouge_score", "rouge_score.rouge_scorer"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError) as error:
        metric.sums(["a"], ["a"])
    assert "pip install 'impromptu-vla[text]'" in "".join(error.value.__notes__)
