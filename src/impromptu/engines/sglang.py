"""Qwen-VL by sglang, as many samples under way at once as fit, asked exactly as trained."""

import asyncio
from dataclasses import dataclass
from typing import Any

from impromptu import checkpoints, torch_cpu
from impromptu.conversation import Sample
from impromptu.engines import Answerer, Completion, Engine, Refused, Settings, _qwen_chat
from impromptu.engines._in_flight import in_flight, refusing


@_qwen_chat.starting("sglang")
def _open(settings: Settings) -> Answerer:
    _qwen_chat.refuse_template(settings.template)
    checkpoints.check(settings.model)
    torch_cpu.hook()
    try:
        import sglang
        import transformers
    except ModuleNotFoundError as error:
        error.add_note(
            "this engine needs more, in an environment of its own: "
            "pip install 'impromptu-vla[sglang]'"
        )
        raise
    _qwen_chat.check_kind(settings.model, settings.template)
    processor = transformers.AutoProcessor.from_pretrained(settings.model)
    asker = Asker(sglang.Engine(**engine_arguments(settings)), processor, settings)
    return in_flight(refusing(asker.ask), settings.concurrency, asker.close)


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """Return sglang's own arguments; those of ``engine_config`` come last."""
    arguments: dict[str, Any] = {
        "model_path": settings.model,
        "context_length": settings.cutoff_len + settings.decoding.max_new_tokens,
        "random_seed": settings.decoding.seed,
        "tp_size": settings.tensor_parallel_size,
        "pp_size": settings.pipeline_parallel_size,
        "dp_size": settings.data_parallel_size,
        "disable_cuda_graph": settings.disable_cuda_graph,
    }
    if settings.gpu_memory_utilization is not None:
        arguments["mem_fraction_static"] = settings.gpu_memory_utilization
    return arguments | dict(settings.engine_config)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks a running engine about one sample."""

    engine: Any
    processor: Any
    settings: Settings

    async def ask(self, sample: Sample) -> Completion:
        """Answer one sample.

        Raises:
            Refused: It cannot be asked.
            OSError: The engine is dead.
        """
        text, images = await asyncio.to_thread(self._prompt, sample)
        sampling = self._sampling(sample)
        try:
            told = await self.engine.async_generate(
                prompt=text, image_data=images or None, sampling_params=sampling
            )
        except ValueError as error:
            raise Refused(str(error)) from error
        except RuntimeError as error:
            raise OSError(f"sglang died at {sample.id}: {error}") from error
        first, *more = map(_completion, told if isinstance(told, list) else [told])
        return Completion(first.text, first.finish_reason, first.problem, tuple(more))

    async def close(self) -> None:
        """End the engine and its processes."""
        self.engine.shutdown()

    def _prompt(self, sample: Sample) -> tuple[str, list[Any]]:
        """Return the text of the training, an image being one token yet, and the images."""
        images = _qwen_chat.open_images(sample, self.settings)
        text = _qwen_chat.chat_text(sample.prompt, self.settings.template)
        token_ids = self.processor.tokenizer(text)["input_ids"]
        length = _qwen_chat.prompt_length(self.processor, token_ids, images)
        _qwen_chat.refuse_long(length, self.settings)
        return text, images

    def _sampling(self, sample: Sample) -> dict[str, Any]:
        decoding = self.settings.decoding
        sampling = {
            "n": decoding.n,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": decoding.top_k,
            "repetition_penalty": decoding.repetition_penalty,
            "max_new_tokens": decoding.max_new_tokens,
            "stop_token_ids": self.processor.tokenizer.convert_tokens_to_ids(list(_qwen_chat.ENDS)),
        }
        if decoding.temperature:
            sampling["sampling_seed"] = _qwen_chat.seed_of(self.settings, sample.id)
        return sampling


def _completion(told: dict[str, Any]) -> Completion:
    reason = told["meta_info"]["finish_reason"]
    if reason["type"] in ("stop", "length"):
        return Completion(told["text"], reason["type"])
    return Completion("", "error", f"sglang ended it: {reason.get('message', reason['type'])}")


ENGINE = Engine(
    _open,
    uses=_qwen_chat.SETTINGS
    | {
        "concurrency",
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "gpu_memory_utilization",
        "disable_cuda_graph",
        "engine_config",
    },
)
