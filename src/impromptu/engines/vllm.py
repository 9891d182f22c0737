"""Models by vLLM, as many samples under way at once as fit; Qwen-VL exactly as trained.

With ``template`` ``own``, for other families such as InternVL and MiniCPM, the conversation goes
through the checkpoint's own chat template and image processor instead.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from impromptu import checkpoints, torch_cpu
from impromptu.conversation import IMAGE, Sample
from impromptu.engines import Answerer, Completion, Engine, Refused, Settings, _qwen_chat
from impromptu.engines._in_flight import in_flight, refusing
from impromptu.files import read_json


@_qwen_chat.starting("vLLM")
def _open(settings: Settings) -> Answerer:
    _qwen_chat.refuse_template(settings.template, _qwen_chat.OWN)
    checkpoints.check(settings.model)
    torch_cpu.hook()
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")  # our own lines are lost in its others
    try:
        import transformers
        import vllm
    except ModuleNotFoundError as error:
        error.add_note(
            "this engine needs more, in an environment of its own: "
            "pip install 'impromptu-vla[vllm]'"
        )
        raise
    processor = None
    if settings.template != _qwen_chat.OWN:
        _qwen_chat.check_kind(settings.model, settings.template)
        processor = transformers.AutoProcessor.from_pretrained(settings.model)
    arguments = vllm.AsyncEngineArgs(**engine_arguments(settings))
    engine = vllm.AsyncLLMEngine.from_engine_args(arguments)
    asker = Asker(engine, processor, settings)
    return in_flight(refusing(asker.ask), settings.concurrency, asker.close)


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """Return vLLM's own arguments; those of ``engine_config`` come last."""
    arguments: dict[str, Any] = {
        "model": settings.model,
        "generation_config": "vllm",  # its own defaults: nothing from the checkpoint's
        "max_model_len": settings.cutoff_len + settings.decoding.max_new_tokens,
        "seed": settings.decoding.seed,
        "tensor_parallel_size": settings.tensor_parallel_size,
        "pipeline_parallel_size": settings.pipeline_parallel_size,
        "data_parallel_size": settings.data_parallel_size,
        "enforce_eager": settings.disable_cuda_graph,
        "disable_log_stats": True,
    }
    if settings.gpu_memory_utilization is not None:
        arguments["gpu_memory_utilization"] = settings.gpu_memory_utilization
    if settings.adapter:
        rank = read_json(Path(settings.adapter) / "adapter_config.json")["r"]
        arguments |= {"enable_lora": True, "max_lora_rank": rank}
    return arguments | dict(settings.engine_config)


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks a running engine about one sample.

    Attributes:
        processor: The checkpoint's; None where the template is the model's own.
    """

    engine: Any
    processor: Any
    settings: Settings

    async def ask(self, sample: Sample) -> Completion:
        """Answer one sample.

        Raises:
            Refused: It cannot be asked.
            OSError: The engine is dead.
        """
        from vllm.exceptions import VLLMClientError, VLLMServerError

        try:
            prompt = await self._prompt(sample)
            parts = self.engine.generate(
                prompt, self._sampling(sample), sample.id, lora_request=self._adapter()
            )
            *_, last = [part async for part in parts]
        except VLLMClientError as error:
            raise Refused(str(error)) from error
        except VLLMServerError as error:
            raise OSError(f"vLLM died at {sample.id}: {error}; its own words are above") from error
        first, *more = (
            Completion(one.text, one.finish_reason or "error", _problem(one.finish_reason))
            for one in last.outputs
        )
        return Completion(first.text, first.finish_reason, first.problem, tuple(more))

    async def close(self) -> None:
        """End the engine and its processes."""
        self.engine.shutdown()
        type(self.engine).__del__ = _nothing  # it fails once Python's own modules are gone

    async def _prompt(self, sample: Sample) -> Any:
        if self.processor is not None:
            return await asyncio.to_thread(self._trained_prompt, sample)
        images = await asyncio.to_thread(_qwen_chat.open_images, sample, self.settings)
        return await self._own_prompt(sample, images)

    def _trained_prompt(self, sample: Sample) -> dict[str, Any]:
        """Return the token ids of the training, an image being one yet, and the images."""
        images = _qwen_chat.open_images(sample, self.settings)
        text = _qwen_chat.chat_text(sample.prompt, self.settings.template)
        token_ids = self.processor.tokenizer(text)["input_ids"]
        length = _qwen_chat.prompt_length(self.processor, token_ids, images)
        _qwen_chat.refuse_long(length, self.settings)
        prompt: dict[str, Any] = {"prompt_token_ids": token_ids}
        return prompt | ({"multi_modal_data": {"image": images}} if images else {})

    async def _own_prompt(self, sample: Sample, images: list[Any]) -> Any:
        from vllm.renderers import ChatParams

        waiting, content = iter(images), list[dict[str, Any]]()
        for place, text in enumerate(sample.prompt.split(IMAGE)):
            if place:
                content.append({"type": "image_pil", "image_pil": next(waiting)})
            if text:
                content.append({"type": "text", "text": text})
        conversation = [{"role": "user", "content": content}]
        params = ChatParams(chat_template_kwargs={"add_generation_prompt": True})
        _, (prompt,) = await self.engine.renderer.render_chat_async([conversation], params)
        return prompt

    def _sampling(self, sample: Sample) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        decoding, ends = self.settings.decoding, list[int]()
        if self.processor is not None:
            ends = self.processor.tokenizer.convert_tokens_to_ids(list(_qwen_chat.ENDS))
        return SamplingParams(
            n=decoding.n,
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            top_k=decoding.top_k,
            repetition_penalty=decoding.repetition_penalty,
            max_tokens=decoding.max_new_tokens,
            seed=_qwen_chat.seed_of(self.settings, sample.id),
            stop_token_ids=ends,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )

    def _adapter(self) -> Any:
        from vllm.lora.request import LoRARequest

        path = self.settings.adapter
        return LoRARequest("adapter", 1, path) if path else None


def _nothing(_: object) -> None:
    """Leave an engine that is shut down alone."""


def _problem(finish_reason: str | None) -> str:
    return "" if finish_reason in ("stop", "length") else f"vLLM ended it: {finish_reason}"


ENGINE = Engine(
    _open,
    uses=_qwen_chat.SETTINGS
    | {
        "adapter",
        "concurrency",
        "tensor_parallel_size",
        "pipeline_parallel_size",
        "data_parallel_size",
        "gpu_memory_utilization",
        "disable_cuda_graph",
        "engine_config",
    },
)
