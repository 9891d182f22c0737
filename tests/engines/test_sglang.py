"""What sglang is given and what is made of what it gives back, with a stand-in for the package."""

import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from impromptu.conversation import Sample
from impromptu.engines import Completion, Decoding, Settings
from impromptu.engines._qwen_chat import chat_text
from impromptu.engines.sglang import ENGINE

pytestmark = pytest.mark.train
SAMPLE = Sample("a/0/q4", ("a.png",), "<image>\nWhich colour?", "")


def told(text: str, kind: str = "stop", **more: str) -> dict[str, Any]:
    return {"text": text, "meta_info": {"finish_reason": {"type": kind, **more}}}


class Fake:
    """The part of ``sglang.Engine`` that is used, with the names of its arguments."""

    def __init__(self) -> None:
        self.arguments, self.asked, self.shut = dict[str, Any](), list[dict[str, Any]](), 0
        self.outcome: Callable[[], Any] = lambda: told("Red")

    def __call__(self, **arguments: Any) -> "Fake":
        self.arguments = arguments
        return self

    async def async_generate(
        self,
        prompt: str | None = None,
        sampling_params: dict[str, Any] | None = None,
        input_ids: list[int] | None = None,
        image_data: list[Any] | None = None,
    ) -> Any:
        self.asked.append({"prompt": prompt, "images": image_data, **(sampling_params or {})})
        return self.outcome()

    def shutdown(self) -> None:
        self.shut += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    module, one = ModuleType("sglang"), Fake()
    module.Engine = one  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sglang", module)
    return one


def _ask(settings: Settings, *samples: Sample) -> list[Completion]:
    return [answer for _, answer in ENGINE.open(settings)(samples)]


def test_sglang_is_opened_with_its_own_names(fake: Fake, settings: Settings) -> None:
    more: dict[str, Any] = {
        "tensor_parallel_size": 2,
        "data_parallel_size": 4,
        "gpu_memory_utilization": 0.8,
    }
    _ask(replace(settings, **more, engine_config={"device": "cpu"}))
    assert fake.arguments == {
        "model_path": settings.model,
        "context_length": 4105,
        "random_seed": 4,
        "tp_size": 2,
        "pp_size": 1,
        "dp_size": 4,
        "disable_cuda_graph": False,
        "mem_fraction_static": 0.8,
        "device": "cpu",
    }
    assert fake.shut == 1


def test_it_is_asked_with_the_text_of_the_training(fake: Fake, settings: Settings) -> None:
    assert _ask(settings, SAMPLE) == [Completion("Red", "stop")]
    (asked,) = fake.asked
    assert asked["prompt"] == chat_text(SAMPLE.prompt, "qwen2_vl")
    assert [image.size for image in asked["images"]] == [(56, 56)]
    assert (asked["temperature"], asked["max_new_tokens"], asked["n"]) == (0.0, 9, 1)
    assert "sampling_seed" not in asked


def test_a_drawn_answer_has_a_seed_of_its_own(fake: Fake, settings: Settings) -> None:
    drawn, other = replace(settings, decoding=Decoding(temperature=1.0)), Sample("b", (), "?", "")
    _ask(drawn, SAMPLE, other)
    _ask(drawn, other)
    (first,) = {one["sampling_seed"] for one in fake.asked if one["images"]}
    (second,) = {one["sampling_seed"] for one in fake.asked if one["images"] is None}
    assert len(fake.asked) == 3 and first != second


def test_several_answers_stay_together(fake: Fake, settings: Settings) -> None:
    fake.outcome = lambda: [told("one"), told("two", "length")]
    (answer,) = _ask(replace(settings, decoding=Decoding(temperature=1.0, n=2)), SAMPLE)
    assert answer == Completion("one", "stop", more=(Completion("two", "length"),))


def test_what_sglang_cannot_do_is_told(fake: Fake, settings: Settings) -> None:
    def fails(error: Exception) -> Callable[[], Any]:
        def outcome() -> Any:
            raise error

        return outcome

    fake.outcome = lambda: told("half", "abort", message="out of tokens")
    assert _ask(settings, SAMPLE)[0].problem == "sglang ended it: out of tokens"
    fake.outcome = fails(ValueError("longer than the context"))
    assert _ask(settings, SAMPLE) == [Completion("", "error", "longer than the context")]
    fake.outcome = fails(RuntimeError("no scheduler"))
    with pytest.raises(OSError, match="sglang died at a/0/q4: no scheduler"):
        _ask(settings, SAMPLE)


def test_a_start_that_fails_is_one_error(
    monkeypatch: pytest.MonkeyPatch, fake: Fake, settings: Settings
) -> None:
    def fails(**arguments: Any) -> Fake:
        raise EOFError

    monkeypatch.setattr(sys.modules["sglang"], "Engine", fails)
    with pytest.raises(OSError, match="sglang did not start: EOFError$"):
        ENGINE.open(settings)


def test_a_prompt_over_the_cutoff_is_not_asked(fake: Fake, settings: Settings) -> None:
    (refused,) = _ask(replace(settings, cutoff_len=10), SAMPLE)
    assert "cutoff_len is 10" in refused.problem
    assert not fake.asked


def test_without_sglang_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setitem(sys.modules, "sglang", None)
    with pytest.raises(ModuleNotFoundError) as error:
        ENGINE.open(settings)
    assert "pip install 'impromptu-vla[sglang]'" in error.value.__notes__[0]
