from impromptu.conversation import Sample
from impromptu.engines import Completion, Settings
from impromptu.engines.echo import ENGINE


def test_the_answer_is_the_truth() -> None:
    samples = [Sample("a/0/q4", (), "?", "Red"), Sample("a/1/q4", (), "?", "")]
    said = [Completion("Red", "stop"), Completion("", "stop")]
    assert list(ENGINE.open(Settings())(samples)) == list(zip(samples, said, strict=True))
    assert not ENGINE.runs_model
