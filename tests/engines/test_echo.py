from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines.echo import ENGINE


def test_the_answer_is_the_truth() -> None:
    samples = [Sample("a/0/q4", (), "?", "Red"), Sample("a/1/q4", (), "?", "")]
    assert ENGINE.open(Settings())(samples) == [Completion("Red", "stop"), Completion("", "stop")]
    assert not ENGINE.runs_model
