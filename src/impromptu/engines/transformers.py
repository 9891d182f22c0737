"""Qwen-VL by Hugging Face transformers, asked exactly as LLaMA-Factory trained it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from impromptu import checkpoints, torch_cpu
from impromptu.conversation import Sample
from impromptu.engines import (
    Answerer,
    Completion,
    Decoding,
    Engine,
    Refused,
    Settings,
    _qwen_chat,
    in_batches,
)

if TYPE_CHECKING:
    import torch


def _open(settings: Settings) -> Answerer:
    return in_batches(load(settings), settings.batch_size)


@_qwen_chat.starting("transformers")
def load(settings: Settings) -> "Qwen":
    """Load the model."""
    _qwen_chat.refuse_template(settings.template)
    checkpoints.check(settings.model)
    torch_cpu.hook()
    try:
        import torch
        import transformers
    except ModuleNotFoundError as error:
        error.add_note("this engine needs more: pip install 'impromptu-vla[transformers]'")
        raise
    _qwen_chat.check_kind(settings.model, settings.template)
    on_gpu = torch.cuda.is_available()
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        settings.model, dtype=torch.bfloat16 if on_gpu else torch.float32
    )
    processor = transformers.AutoProcessor.from_pretrained(settings.model, use_fast=True)
    model.generation_config = _generation(settings.decoding, processor.tokenizer)
    return Qwen(model.to("cuda" if on_gpu else "cpu").eval(), processor, settings)


def _generation(decoding: Decoding, tokenizer: Any) -> Any:
    """Return a generation config that takes nothing from the checkpoint's own.

    Published checkpoints ship one (a repetition penalty of 1.05, sampling), which would otherwise
    fill in for every value left at its default.
    """
    from transformers import GenerationConfig

    sampling: dict[str, Any] = {}
    if decoding.temperature > 0:
        sampling = {
            "do_sample": True,
            "num_return_sequences": decoding.n,
            "temperature": decoding.temperature,
            "top_p": decoding.top_p,
            "top_k": max(decoding.top_k, 0),
        }
    return GenerationConfig(
        max_new_tokens=decoding.max_new_tokens,
        repetition_penalty=decoding.repetition_penalty,
        eos_token_id=tokenizer.convert_tokens_to_ids(_qwen_chat.ENDS),
        pad_token_id=tokenizer.pad_token_id,
        **sampling,
    )


@dataclass(frozen=True, slots=True)
class Qwen:
    """A loaded model that answers batches."""

    model: Any
    processor: Any
    settings: Settings

    def __call__(self, samples: Sequence[Sample]) -> list[Completion]:
        """Answer a batch; a sample that cannot be asked becomes an error of its own."""
        encoded: list[dict[str, torch.Tensor] | Completion] = []
        for sample in samples:
            try:
                encoded.append(self.encode(sample))
            except Refused as error:
                encoded.append(Completion("", "error", str(error)))
        asked = [one for one in encoded if isinstance(one, dict)]
        answers = iter(self._generate(asked, samples[0].id) if asked else ())
        return [one if isinstance(one, Completion) else next(answers) for one in encoded]

    def encode(self, sample: Sample) -> dict[str, "torch.Tensor"]:
        """Turn one sample into the model's inputs, as in training.

        Raises:
            Refused: An image cannot be read, or the prompt is too long.
        """
        images = _qwen_chat.open_images(sample, self.settings)
        text = _qwen_chat.chat_text(sample.prompt, self.settings.template)
        inputs = self.processor(text=[text], images=images or None, return_tensors="pt")
        _qwen_chat.refuse_long(inputs["input_ids"].shape[1], self.settings)
        return dict(inputs)

    def _generate(self, encoded: Sequence[dict[str, "torch.Tensor"]], key: str) -> list[Completion]:
        import torch

        inputs = self._batch(encoded)
        # From the batch's own key, so that a resumed run draws what an unbroken one would.
        torch.manual_seed(_qwen_chat.seed_of(self.settings, key))
        try:
            with torch.inference_mode():
                output = self.model.generate(**inputs)
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"out of GPU memory with {len(encoded)} samples at once, the first being {key}; "
                "choose a smaller --batch_size and start again: finished answers are kept"
            ) from error
        except RuntimeError as error:
            raise OSError(f"torch failed at {key}: {_qwen_chat.one_line(error)}") from error
        rows = output[:, inputs["input_ids"].shape[1] :].tolist()
        drawn, n = [self._completion(row) for row in rows], self.settings.decoding.n
        groups = [drawn[at : at + n] for at in range(0, len(drawn), n)]
        return [replace(first, more=tuple(more)) for first, *more in groups]

    def _batch(self, encoded: Sequence[dict[str, "torch.Tensor"]]) -> dict[str, "torch.Tensor"]:
        """Join inputs: texts padded on the left, where no answer will follow, images in a row."""
        import torch

        longest = max(one["input_ids"].shape[1] for one in encoded)
        # transformers 5 tells by the last of these where images are, and without it places wrongly.
        fillers = {"input_ids": self.processor.tokenizer.pad_token_id}
        fillers |= {"attention_mask": 0, "mm_token_type_ids": 0}
        inputs = dict[str, torch.Tensor]()
        for key, filler in fillers.items():
            if rows := [one[key][0] for one in encoded if key in one]:
                inputs[key] = torch.full((len(rows), longest), filler)
                for at, row in enumerate(rows):
                    inputs[key][at, longest - len(row) :] = row
        for key in ("pixel_values", "image_grid_thw"):
            if parts := [one[key] for one in encoded if key in one]:
                inputs[key] = torch.cat(parts)
        return {key: value.to(self.model.device) for key, value in inputs.items()}

    def _completion(self, tokens: list[int]) -> Completion:
        ends = self.model.generation_config.eos_token_id
        stop = next((at for at, token in enumerate(tokens) if token in ends), None)
        text = self.processor.tokenizer.decode(tokens[:stop], skip_special_tokens=True)
        return Completion(text, "length" if stop is None else "stop")


ENGINE = Engine(_open, whole_batches=True, uses=_qwen_chat.SETTINGS | {"batch_size"})
