"""Counts the tokens of a conversation as LLaMA-Factory does for Qwen2-VL, 2.5-VL and 3-VL."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from impromptu.conversation import IMAGE
from impromptu.engines._image_budget import trained_size
from impromptu.preflight.conversion import Conversation
from impromptu.preflight.image_sizes import Size

IMAGE_TOKEN = "<|image_pad|>"  # noqa: S105 (a word of the model, no password)
_SHOWN_IMAGE = f"<|vision_start|>{IMAGE_TOKEN}<|vision_end|>"
_SYSTEM = "<|im_start|>system\n{}<|im_end|>\n"
_USER = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
_OBSERVATION = (
    "<|im_start|>user\n<tool_response>\n{}\n</tool_response><|im_end|>\n<|im_start|>assistant\n"
)
_ASSISTANT = "{}<|im_end|>\n"
_THOUGHT = re.compile(r"<think>\n(.*?)\n</think>\n\n", re.DOTALL)
_NO_THOUGHT = "<think>\n\n</think>\n\n"
_LONGEST_RATIO = 200


@dataclass(frozen=True, slots=True)
class Template:
    """What differs among LLaMA-Factory's templates of Qwen.

    Attributes:
        system: The system message where a sample has none.
        reasons: Answers without a thought are given an empty one.
        models: ``model_type`` of the checkpoints it is for.
    """

    system: str
    reasons: bool
    models: tuple[str, ...]


TEMPLATES = {
    "qwen2_vl": Template("You are a helpful assistant.", False, ("qwen2_vl", "qwen2_5_vl")),
    "qwen3_vl": Template("", True, ("qwen3_vl", "qwen3_vl_moe")),
    "qwen3_vl_nothink": Template("", False, ("qwen3_vl", "qwen3_vl_moe")),
}


@dataclass(frozen=True, slots=True)
class ImageRule:
    """How many tokens an image is.

    Attributes:
        patch_px, merge: Side of a patch; so many patches in a row make one token.
        min_pixels, max_pixels: The image processor's own budget.
        trained_min_pixels, trained_max_pixels: The training's, which comes first.
    """

    patch_px: int
    merge: int
    min_pixels: int
    max_pixels: int
    trained_min_pixels: int
    trained_max_pixels: int

    def tokens(self, size: Size) -> int | None:
        """Return the tokens of an image of (width, height) px; None if training fails at it.

        LLaMA-Factory brings it into the training's budget, then the image processor to whole
        tokens within its own (``smart_resize`` in transformers).
        """
        width, height = size
        shrink = math.sqrt(self.trained_max_pixels / (width * height))
        if shrink < 1 and min(int(width * shrink), int(height * shrink)) < 1:
            return None  # resized to a side of 0 pixels
        width, height = trained_size(
            width, height, self.trained_max_pixels, self.trained_min_pixels
        )
        if max(width, height) > _LONGEST_RATIO * min(width, height):
            return None
        side_px = self.patch_px * self.merge
        rows, columns = round(height / side_px), round(width / side_px)
        if rows * columns * side_px**2 > self.max_pixels:
            scale = math.sqrt(height * width / self.max_pixels)
            rows = max(1, math.floor(height / scale / side_px))
            columns = max(1, math.floor(width / scale / side_px))
        elif rows * columns * side_px**2 < self.min_pixels:
            scale = math.sqrt(self.min_pixels / (height * width))
            rows = math.ceil(height * scale / side_px)
            columns = math.ceil(width * scale / side_px)
        return rows * columns


@dataclass(frozen=True, slots=True)
class Rules:
    """All that decides how many tokens a sample has; goes to worker processes as it is.

    Attributes:
        tokenizer: The fast tokenizer, written as JSON.
        thinks: LLaMA-Factory's ``enable_thinking``.
        forgets: Thoughts in earlier turns are taken out.
        last_only: Only the last answer is learnt (``mask_history``).
    """

    tokenizer: str
    template: str
    system: str
    thinks: bool | None
    forgets: bool
    last_only: bool
    cutoff_tokens: int
    image: ImageRule


@dataclass(frozen=True, slots=True)
class Length:
    """How long a sample is and what ``cutoff_len`` takes of it, in tokens.

    Attributes:
        tokens: Of all of it.
        image_tokens: Thereof, those of images.
        kept: After cutting.
        fate: ``image_cut``, ``answer_cut``, ``turns_cut``, ``prompt_cut`` or, uncut, nothing.
    """

    tokens: int
    image_tokens: int
    kept: int
    fate: str = ""


class Counter:
    """Counts tokens by the rules, many texts at a time."""

    def __init__(self, rules: Rules) -> None:
        from tokenizers import Tokenizer

        self.rules = rules
        self.template = TEMPLATES[rules.template]
        self.tokenizer: Any = Tokenizer.from_str(rules.tokenizer)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.image = lru_cache(maxsize=4096)(rules.image.tokens)
        self._prefix = lru_cache(maxsize=64)(lambda text: self.count([text])[0] if text else 0)

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        encoded = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(one) for one in encoded]

    def lengths(
        self, made: Sequence[Conversation], images: Sequence[Sequence[int]]
    ) -> Iterator[Length]:
        """Yield the length of each conversation, given the tokens of each of its images."""
        texts = [list(self._texts(one)) for one in made]
        counts = iter(self.count([text for pieces in texts for text in pieces]))
        for one, pieces, of_images in zip(made, texts, images, strict=True):
            yield self._length(one, pieces, [next(counts) for _ in pieces], of_images)

    def _texts(self, made: Conversation) -> Iterator[str]:
        """Yield what is encoded for each turn; an image stands as one token."""
        for at, text in enumerate(self._thoughts(made.turns)):
            text = text.replace(IMAGE, _SHOWN_IMAGE)
            if at % 2:
                yield _ASSISTANT.format(text)
            elif made.observed[at // 2]:
                yield _OBSERVATION.format(text)
            else:
                yield _USER.format(text).replace("{{idx}}", str(at // 2), 1)

    def _thoughts(self, turns: Sequence[str]) -> list[str]:
        """Take out the thoughts that LLaMA-Factory takes out."""
        turns = list(turns)
        earlier = len(turns) - 2 if self.rules.forgets else 0
        until = len(turns) if self.rules.thinks is False else earlier
        for at in range(1, until if self.template.reasons else 0, 2):
            turns[at] = _THOUGHT.sub("", turns[at]).lstrip("\n")
        return turns

    def _length(
        self,
        made: Conversation,
        pieces: Sequence[str],
        counts: list[int],
        of_images: Sequence[int],
    ) -> Length:
        """Join what each turn has: its text, its images, the system message, an empty thought."""
        system = made.system or self.rules.system
        before = self._prefix(_SYSTEM.format(system) if system else "")
        extra, shown = [0] * len(pieces), iter(of_images)
        for at, text in enumerate(made.turns):
            extra[at] = sum(next(shown) - 1 for _ in range(text.count(IMAGE)))
        extra[0] += before
        for at in self._without_thought(made, pieces):
            extra[at] += self._prefix(_NO_THOUGHT)
        sizes = [count + more for count, more in zip(counts, extra, strict=True)]
        tokens, image_tokens = sum(sizes), sum(of_images)
        if tokens <= self.rules.cutoff_tokens:
            return Length(tokens, image_tokens, tokens)
        kept, fate = self._cut(sizes, self._last_images(made, pieces, of_images, before))
        return Length(tokens, image_tokens, kept, fate)

    def _without_thought(self, made: Conversation, pieces: Sequence[str]) -> Iterator[int]:
        """Yield the turns that an empty thought goes to: answers if it is learnt, else prompts."""
        if not self.template.reasons:
            return
        for at in range(len(pieces) - 1 if self.rules.forgets else 1, len(pieces), 2):
            if "<think>" not in pieces[at] and "</think>" not in pieces[at]:
                yield at if self.rules.thinks else at - 1

    def _last_images(
        self, made: Conversation, pieces: Sequence[str], of_images: Sequence[int], before: int
    ) -> list[int]:
        """Return of each turn how many of its tokens reach to the end of its last image."""
        ends, shown = [0] * len(pieces), iter(of_images)
        for at, text in enumerate(made.turns):
            if own := [next(shown) for _ in range(text.count(IMAGE))]:
                upto = pieces[at].rindex(IMAGE_TOKEN) + len(IMAGE_TOKEN)
                ends[at] = self.count([pieces[at][:upto]])[0] + sum(own) - len(own)
                ends[at] += 0 if at else before
        return ends

    def _cut(self, sizes: Sequence[int], ends: Sequence[int]) -> tuple[int, str]:
        """Cut as LLaMA-Factory does; return what is kept and the gravest of what is lost."""
        pairs = list(range(0, len(sizes), 2))
        total, fates = 0, set[str]()
        for at in reversed(pairs) if self.rules.last_only else pairs:
            room = self.rules.cutoff_tokens - total
            asked, answered = kept_of_pair(sizes[at], sizes[at + 1], room) if room > 0 else (0, 0)
            total += asked + answered
            fates |= {"turns_cut"} if room <= 0 else set()
            fates |= {"answer_cut"} if room > 0 and answered < sizes[at + 1] else set()
            fates |= {"prompt_cut"} if room > 0 and asked < sizes[at] else set()
            fates |= {"image_cut"} if asked < ends[at] or answered < ends[at + 1] else set()
        order = ("image_cut", "answer_cut", "turns_cut", "prompt_cut")
        return total, next(fate for fate in order if fate in fates)


def kept_of_pair(asked: int, answered: int, room: int) -> tuple[int, int]:
    """Return how many tokens of question and answer are kept (LLaMA-Factory's ``infer_seqlen``)."""
    if answered * 2 < room:
        most = room
    elif asked * 2 < room:
        most = room - asked
    else:
        most = int(room * (answered / (asked + answered)))
    kept = min(most, answered)
    return min(max(room - kept, 0), asked), kept
