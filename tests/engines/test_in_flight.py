"""How many are asked at once, in which order answers come, and what is left when one goes wrong."""

import asyncio
from collections.abc import Iterator

import pytest

from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Refused
from impromptu.engines._in_flight import in_flight, refusing

SAMPLES = [Sample(f"log/{k}/q4", (), f"{k}?", "") for k in range(20)]


class Engine:
    """Answers the later sample of two sooner, and counts."""

    def __init__(self, die_at: str = "") -> None:
        self.die_at, self.running, self.most, self.taken, self.closed = die_at, 0, 0, 0, 0

    def answerer(self, limit: int) -> Answerer:
        return in_flight(refusing(self.ask), limit, self.close)

    def samples(self) -> Iterator[Sample]:
        for sample in SAMPLES:
            self.taken += 1
            yield sample

    async def ask(self, sample: Sample) -> Completion:
        self.running += 1
        self.most = max(self.most, self.running)
        number = int(sample.prompt[:-1])
        await asyncio.sleep(0.002 if number % 2 else 0.01)
        self.running -= 1
        if sample.id == self.die_at:
            raise OSError("dead")
        if number == 7:
            raise Refused("too long")
        return Completion(sample.prompt, "stop")

    async def close(self) -> None:
        self.closed += 1


def test_every_sample_is_answered_once_and_as_it_finishes() -> None:
    engine = Engine()
    answered = list(engine.answerer(4)(engine.samples()))
    assert [sample for sample, _ in answered] != SAMPLES
    assert sorted(int(sample.prompt[:-1]) for sample, _ in answered) == list(range(20))
    said = {sample.id: completion for sample, completion in answered}
    assert said.pop("log/7/q4") == Completion("", "error", "too long")
    assert all(one.text == name.split("/")[1] + "?" for name, one in said.items())
    assert (engine.most, engine.running, engine.closed) == (4, 0, 1)


def test_no_more_are_taken_than_may_be_under_way() -> None:
    engine = Engine()
    answers = engine.answerer(3)(engine.samples())
    for done in range(1, 6):
        next(answers)
        assert engine.taken <= done + 3
    assert engine.closed == 0


def test_a_caller_who_stops_ends_the_engine() -> None:
    engine = Engine()
    answers = engine.answerer(3)(engine.samples())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert engine.closed == 1


def test_a_dead_engine_is_an_error_after_what_was_finished() -> None:
    engine, got = Engine(die_at="log/10/q4"), list[str]()
    with pytest.raises(OSError, match="dead"):
        for sample, _ in engine.answerer(4)(engine.samples()):
            got.append(sample.id)
    assert len(got) >= 8
    assert "log/10/q4" not in got
    assert engine.closed == 1


def test_what_a_library_raises_is_an_error_of_one_line() -> None:
    async def ask(_: Sample) -> Completion:
        raise RuntimeError("queue\nis gone")

    with pytest.raises(OSError, match="failed at log/0/q4: RuntimeError: queue is gone"):
        list(in_flight(ask, 1, Engine().close)(SAMPLES))


def test_samples_that_cannot_be_read_end_it_too() -> None:
    def broken() -> Iterator[Sample]:
        yield SAMPLES[0]
        raise ValueError("record 2 is broken")

    engine = Engine()
    with pytest.raises(ValueError, match="record 2"):
        list(engine.answerer(1)(broken()))
    assert engine.closed == 1
