"""No model: repeats the true answer, so that every metric true to time comes out perfect."""

from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Engine, Settings, one_by_one


def _open(settings: Settings) -> Answerer:
    return one_by_one(_answer)


def _answer(sample: Sample) -> Completion:
    return Completion(sample.answer, "stop")


ENGINE = Engine(_open, runs_model=False)
