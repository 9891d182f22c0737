import pytest

from impromptu import datasets, metrics, plugins
from impromptu.datasets import Dataset
from impromptu.metrics import Metric


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="Did you mean 'nuscenes'"):
        plugins.load(datasets, "nuscene", Dataset)


def test_a_plugin_must_be_of_its_kind() -> None:
    with pytest.raises(TypeError, match="must define DATASET"):
        plugins.load(metrics, "l2_uniad", Dataset)
    assert plugins.load(metrics, "l2_uniad", Metric).unit == "m"
