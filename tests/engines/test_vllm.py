"""What vLLM is given and what is made of what it gives back, with a stand-in for the package."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from impromptu.conversation import Sample
from impromptu.engines import Completion, Decoding, Settings
from impromptu.engines._qwen_chat import chat_text
from impromptu.engines.vllm import ENGINE

pytestmark = pytest.mark.train
SAMPLE = Sample("a/0/q4", ("a.png",), "<image>\nWhich colour?", "")


class ClientError(Exception):
    """A request that cannot be."""


class ServerError(Exception):
    """The end of the engine."""


class Fake:
    """The part of vLLM that is used; notes what it is called with."""

    def __init__(self) -> None:
        self.arguments, self.asked, self.shut = dict[str, Any](), list[dict[str, Any]](), 0
        self.outcome: Callable[[], list[tuple[str, str | None]]] = lambda: [("Red", "stop")]
        self.renderer = SimpleNamespace(render_chat_async=self.render)
        self.chats = list[Any]()

    def from_engine_args(self, arguments: dict[str, Any]) -> "Fake":
        self.arguments = arguments
        return self

    async def generate(
        self, prompt: Any, sampling: Any, name: str, lora_request: Any = None
    ) -> AsyncIterator[Any]:
        told = {"prompt": prompt, "name": name, "lora": lora_request}
        self.asked.append(told | vars(sampling))
        outputs = [SimpleNamespace(text=t, finish_reason=r) for t, r in self.outcome()]
        yield SimpleNamespace(outputs=outputs)

    async def render(self, chats: list[Any], params: Any) -> tuple[Any, list[str]]:
        self.chats += chats
        assert params.chat_template_kwargs == {"add_generation_prompt": True}
        return chats, ["rendered"]

    def shutdown(self) -> None:
        self.shut += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    one = Fake()
    modules: dict[str, dict[str, Any]] = {
        "vllm": {"AsyncEngineArgs": dict, "AsyncLLMEngine": one, "SamplingParams": SimpleNamespace},
        "vllm.exceptions": {"VLLMClientError": ClientError, "VLLMServerError": ServerError},
        "vllm.renderers": {"ChatParams": SimpleNamespace},
        "vllm.sampling_params": {"RequestOutputKind": SimpleNamespace(FINAL_ONLY="final")},
        "vllm.lora": {},
        "vllm.lora.request": {"LoRARequest": lambda *told: told},
    }
    for name, content in modules.items():
        module = ModuleType(name)
        module.__dict__.update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return one


def _ask(settings: Settings, *samples: Sample) -> list[Completion]:
    return [answer for _, answer in ENGINE.open(settings)(samples)]


def test_vllm_is_opened_with_nothing_of_the_checkpoints_own(fake: Fake, settings: Settings) -> None:
    _ask(replace(settings, tensor_parallel_size=2, gpu_memory_utilization=0.8))
    assert fake.arguments == {
        "model": settings.model,
        "generation_config": "vllm",
        "max_model_len": 4105,
        "seed": 4,
        "tensor_parallel_size": 2,
        "pipeline_parallel_size": 1,
        "data_parallel_size": 1,
        "enforce_eager": False,
        "disable_log_stats": True,
        "gpu_memory_utilization": 0.8,
    }
    assert fake.shut == 1


def test_its_own_arguments_come_last(fake: Fake, settings: Settings) -> None:
    _ask(replace(settings, engine_config={"max_model_len": 64, "dtype": "float32"}))
    assert (fake.arguments["max_model_len"], fake.arguments["dtype"]) == (64, "float32")


def test_it_is_asked_with_the_tokens_of_the_training(fake: Fake, settings: Settings) -> None:
    from transformers import AutoTokenizer

    assert _ask(settings, SAMPLE) == [Completion("Red", "stop")]
    (asked,) = fake.asked
    tokenizer = AutoTokenizer.from_pretrained(settings.model)
    assert (
        asked["prompt"]["prompt_token_ids"]
        == tokenizer(chat_text(SAMPLE.prompt, "qwen2_vl"))["input_ids"]
    )
    (image,) = asked["prompt"]["multi_modal_data"]["image"]
    assert image.size == (56, 56)
    ends = tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    assert asked["stop_token_ids"] == ends
    assert (asked["temperature"], asked["max_tokens"], asked["n"]) == (0.0, 9, 1)
    assert (asked["name"], asked["output_kind"], asked["lora"]) == ("a/0/q4", "final", None)


def test_a_seed_is_of_the_sample_whatever_was_asked_before(fake: Fake, settings: Settings) -> None:
    other = Sample("a/1/q4", (), "?", "")
    _ask(settings, SAMPLE, other)
    _ask(settings, other)
    (first,) = {one["seed"] for one in fake.asked if one["name"] == SAMPLE.id}
    (second,) = {one["seed"] for one in fake.asked if one["name"] == other.id}
    assert len(fake.asked) == 3 and first != second


def test_image_tokens_count_for_the_cutoff(fake: Fake, settings: Settings) -> None:
    from transformers import AutoTokenizer

    text_length = len(
        AutoTokenizer.from_pretrained(settings.model)(
            chat_text(SAMPLE.prompt, "qwen2_vl")
        ).input_ids
    )
    length = text_length - 1 + 4  # 56 x 56 pixels are 2 x 2 tokens
    assert _ask(replace(settings, cutoff_len=length), SAMPLE)[0].finish_reason == "stop"
    (refused,) = _ask(replace(settings, cutoff_len=length - 1), SAMPLE)
    assert refused.problem == f"the prompt has {length} tokens, cutoff_len is {length - 1}"


def test_several_answers_stay_together(fake: Fake, settings: Settings) -> None:
    fake.outcome = lambda: [("one", "stop"), ("two", "length")]
    decoding = Decoding(temperature=1.0, n=2)
    (answer,) = _ask(replace(settings, decoding=decoding), SAMPLE)
    assert answer == Completion("one", "stop", more=(Completion("two", "length"),))
    assert fake.asked[0]["n"] == 2


def test_an_aborted_answer_is_an_error(fake: Fake, settings: Settings) -> None:
    fake.outcome = lambda: [("half", "abort")]
    (answer,) = _ask(settings, SAMPLE)
    assert answer.problem == "vLLM ended it: abort"


def test_a_refused_sample_is_its_own_error_and_a_dead_engine_everybodys(
    fake: Fake, settings: Settings
) -> None:
    def raises(error: Exception) -> Callable[[], list[tuple[str, str | None]]]:
        def outcome() -> list[tuple[str, str | None]]:
            raise error

        return outcome

    fake.outcome = raises(ClientError("too long"))
    assert _ask(settings, SAMPLE) == [Completion("", "error", "too long")]
    fake.outcome = raises(ServerError("no more"))
    with pytest.raises(OSError, match="vLLM died at a/0/q4: no more"):
        _ask(settings, SAMPLE)


def test_an_adapter_goes_with_every_request(fake: Fake, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 16}))
    _ask(replace(settings, adapter=str(tmp_path)), SAMPLE)
    assert (fake.arguments["enable_lora"], fake.arguments["max_lora_rank"]) == (True, 16)
    assert fake.asked[0]["lora"] == ("adapter", 1, str(tmp_path))


def test_other_families_are_asked_by_their_own_template(
    fake: Fake, settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "internvl_chat"}')
    own = replace(settings, model=str(tmp_path), template="own")
    sample = replace(SAMPLE, prompt="Before <image>\nafter")
    assert _ask(own, sample)[0].text == "Red"
    ((message,),) = fake.chats
    before, image, after = message["content"]
    assert (before["text"], image["image_pil"].size, after["text"]) == (
        "Before ",
        (56, 56),
        "\nafter",
    )
    assert (fake.asked[0]["prompt"], fake.asked[0]["stop_token_ids"]) == ("rendered", [])
    with pytest.raises(ValueError, match="expected a Qwen2.5-VL"):
        _ask(replace(own, template="qwen2_vl"), sample)


def test_another_template_is_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="knows.*'qwen2_vl'.*or 'own'"):
        ENGINE.open(replace(settings, template="llama3"))


@pytest.mark.parametrize("error", [RuntimeError("no GPU\nat all"), TypeError("no GPU at all")])
def test_a_start_that_fails_is_one_error(fake: Fake, settings: Settings, error: Exception) -> None:
    def fails(arguments: dict[str, Any]) -> Fake:
        raise error

    fake.from_engine_args = fails  # type: ignore[method-assign]
    told = f"vLLM did not start: {type(error).__name__}: no GPU at all"
    with pytest.raises(OSError, match=told):
        ENGINE.open(settings)


def test_another_template_is_asked_with_its_own_text(
    fake: Fake, settings: Settings, tiny_qwen3: Path
) -> None:
    from transformers import AutoTokenizer

    _ask(replace(settings, model=str(tiny_qwen3), template="qwen3_vl_nothink"), SAMPLE)
    (asked,) = fake.asked
    text = AutoTokenizer.from_pretrained(tiny_qwen3).decode(asked["prompt"]["prompt_token_ids"])
    shown = "<|vision_start|><|image_pad|><|vision_end|>\nWhich colour?"
    assert text == f"<|im_start|>user\n{shown}<|im_end|>\n<|im_start|>assistant\n"


def test_without_vllm_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(ModuleNotFoundError) as error:
        ENGINE.open(settings)
    assert "pip install 'impromptu-vla[vllm]'" in error.value.__notes__[0]
