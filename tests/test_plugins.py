import pytest

from impromptu import datasets, metrics, plugins
from impromptu.datasets import Dataset
from impromptu.metrics import Metric


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'nuscenes'"):
        plugins.load(datasets, "nuscene", Dataset)
    assert plugins.did_you_mean("3b_ad", ["dataset", "3B_AD", "7B_AD"]) == " Did you mean '3B_AD'?"
    assert plugins.did_you_mean("xyz", ["dataset"]) == ""


def test_a_plugin_must_be_of_its_kind() -> None:
    with pytest.raises(TypeError, match="must define DATASET"):
        plugins.load(metrics, "l2_uniad", Dataset)
    assert plugins.load(metrics, "l2_uniad", Metric).unit == "m"
