"""Who answers in the demo."""

import pytest

from impromptu import engines, plugins
from impromptu.contestants import CONTESTANTS, training_name
from impromptu.engines import Engine
from impromptu.pictures import run_style


@pytest.mark.parametrize(
    ("held_out", "training"),
    [
        ("kitti_q7_test", "kitti_q7_train"),
        ("nuscenes_planning_val", "nuscenes_planning_train"),
        ("valley_q6_val", "valley_q6_train"),
    ],
)
def test_what_is_fitted_sees_the_training_samples_alone(held_out: str, training: str) -> None:
    assert training_name(held_out) == training


def test_every_engine_without_a_model_takes_part() -> None:
    by_engine = {one.engine: one for one in CONTESTANTS}
    for name in plugins.names(engines):
        engine = plugins.load(engines, name, Engine)
        assert engine.runs_model == (name not in by_engine)
        if name in by_engine:
            assert engine.fitted == (by_engine[name].fit is not None)


def test_those_in_pictures_come_first_and_have_colours_of_their_own() -> None:
    pictured = [one.pictured for one in CONTESTANTS]
    assert pictured == sorted(pictured, reverse=True)
    # A trained model comes before them.
    assert len({run_style(position) for position in range(sum(pictured) + 1)}) == sum(pictured) + 1
