import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impromptu.conversation import Sample
from impromptu.engines import Completion, Decoding, Settings
from impromptu.engines._qwen_chat import chat_text
from impromptu.engines.transformers import ENGINE, Qwen, load

pytestmark = pytest.mark.train
SIZES_PX = {"wide.png": (400, 225), "tall.png": (90, 200), "tiny.jpg": (20, 30)}
SHORT = Sample("a/0/q4", (), "Which colour?", "Red")
LONG = Sample(
    "a/0/q6",
    ("wide.png", "tall.png"),
    "<FRONT VIEW>:\n<image>\n<BACK VIEW>:\n<image>\nAt -3.25 m/s: what now? Näive ½ 信号\n\n",
    "<SPEED PATH PLAN>KEEP,STRAIGHT</SPEED PATH PLAN>",
)
MIDDLE = Sample("a/1/q4", ("tiny.jpg",), "<image>[12.50, -0.07], 3.0 seconds", "None")


@pytest.fixture(scope="module")
def media_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("media"), np.random.default_rng(0)
    for name, (width, height) in SIZES_PX.items():
        noise = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / name)
    (folder / "torn.png").write_bytes((folder / "wide.png").read_bytes()[:500])
    return folder


def _settings(checkpoint: Path, media_dir: Path, **changes: Any) -> Settings:
    decoding = changes.pop("decoding", Decoding(max_new_tokens=12))
    budget = {"image_max_pixels": 30_000, **changes}
    return Settings(str(checkpoint), media_dir, decoding=decoding, **budget)


@pytest.fixture(scope="module")
def qwen(tiny_checkpoint: Path, media_dir: Path) -> Qwen:
    return load(_settings(tiny_checkpoint, media_dir))


@pytest.fixture(scope="module")
def llamafactory_inputs(tiny_checkpoint: Path, media_dir: Path) -> Any:
    """What LLaMA-Factory makes of a sample's prompt: token ids, pixels, grids."""
    pytest.importorskip("llamafactory", reason="needs the train extra: llamafactory")
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from llamafactory.model import load_tokenizer

    module = load_tokenizer(
        ModelArguments(model_name_or_path=str(tiny_checkpoint), image_max_pixels=30_000)
    )
    tokenizer, processor = module["tokenizer"], module["processor"]
    template = get_template_and_fix_tokenizer(tokenizer, DataArguments(template="qwen2_vl"))

    def inputs(sample: Sample) -> tuple[list[int], dict[str, Any]]:
        images = [str(media_dir / name) for name in sample.images]
        messages = [message | {} for message in sample.to_sharegpt()["messages"]]
        messages = template.mm_plugin.process_messages(messages, images, [], [], processor)
        prompt_ids, _ = template.encode_oneturn(tokenizer, messages)
        seen = template.mm_plugin.get_mm_inputs(
            images, [], [], [len(images)], [0], [0], [prompt_ids], processor
        )
        return prompt_ids, dict(seen)

    return inputs


@pytest.mark.parametrize("sample", [SHORT, LONG, MIDDLE], ids=lambda sample: sample.id)
def test_the_model_is_asked_as_it_was_trained(
    qwen: Qwen, llamafactory_inputs: Any, sample: Sample
) -> None:
    ids, seen = llamafactory_inputs(sample)
    ours = qwen.encode(sample)
    assert ours["input_ids"][0].tolist() == ids
    assert set(ours) - {"input_ids", "attention_mask"} == set(seen)
    for key, value in seen.items():
        assert ours[key].dtype == value.dtype
        assert ours[key].equal(value)


def test_the_chat_text_is_what_the_checkpoints_own_template_writes(qwen: Qwen) -> None:
    content = [{"type": "image"}, {"type": "text", "text": "Which colour?"}]
    chat = [{"role": "user", "content": content}]
    written = qwen.processor.apply_chat_template(chat, add_generation_prompt=True)
    assert chat_text("<image>Which colour?") == written


def test_a_batch_gives_what_its_samples_give_alone(qwen: Qwen) -> None:
    samples = [SHORT, LONG, MIDDLE]
    assert qwen(samples) == [completion for one in samples for completion in qwen([one])]


@pytest.mark.parametrize(
    ("image", "told"),
    [("gone.png", "gone.png: no such image"), ("torn.png", "torn.png: not a readable image")],
)
def test_an_image_that_cannot_be_read_is_that_samples_error_alone(
    qwen: Qwen, image: str, told: str
) -> None:
    first, failed, last = qwen([SHORT, Sample("x", (image,), "<image>?", ""), MIDDLE])
    assert [first, last] == qwen([SHORT, MIDDLE])
    assert (failed.text, failed.finish_reason) == ("", "error")
    assert told in failed.problem


def test_a_batch_of_errors_asks_the_model_nothing(qwen: Qwen) -> None:
    (failed,) = qwen([Sample("x", ("gone.png",), "<image>?", "")])
    assert failed.finish_reason == "error"


def test_a_prompt_over_the_cutoff_is_an_error_not_a_cut(
    tiny_checkpoint: Path, media_dir: Path
) -> None:
    answer = load(_settings(tiny_checkpoint, media_dir, cutoff_len=60))
    short, long = answer([SHORT, LONG])
    assert short.finish_reason == "length"
    assert long.finish_reason == "error"
    assert "cutoff_len is 60" in long.problem


def test_reasons_to_finish(qwen: Qwen) -> None:
    tokenizer = qwen.processor.tokenizer
    text, (end, pad) = (
        tokenizer("Red")["input_ids"],
        tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"]),
    )
    assert qwen._completion([*text, end, pad, pad]) == Completion("Red", "stop")
    assert qwen._completion([*text, pad]) == Completion("Red", "stop")
    assert qwen._completion(text) == Completion("Red", "length")


def test_max_new_tokens_is_the_limit(qwen: Qwen) -> None:
    (completion,) = qwen([SHORT])
    assert completion.finish_reason == "length"
    whole = completion.text.replace("\ufffd", "")  # half a sign is one token, but reads as three
    assert 0 < len(qwen.processor.tokenizer(whole)["input_ids"]) <= 12


def test_the_checkpoints_own_generation_config_changes_nothing(
    tiny_checkpoint: Path, media_dir: Path, qwen: Qwen, tmp_path: Path
) -> None:
    other = shutil.copytree(tiny_checkpoint, tmp_path / "other")
    sampling = {"do_sample": True, "temperature": 9.0, "repetition_penalty": 3.0, "min_p": 0.1}
    (other / "generation_config.json").write_text(json.dumps(sampling))
    assert load(_settings(other, media_dir))([LONG]) == qwen([LONG])


def test_a_seed_draws_the_same_text_again_and_another_seed_another(
    tiny_checkpoint: Path, media_dir: Path
) -> None:
    def draw(seed: int) -> Sequence[Completion]:
        decoding = Decoding(temperature=1.0, top_p=0.9, top_k=50, max_new_tokens=12, seed=seed)
        answer = load(_settings(tiny_checkpoint, media_dir, decoding=decoding))
        answer([MIDDLE])  # what was asked before must not matter
        return answer([SHORT])

    assert draw(0) == draw(0) != draw(1)


def test_another_template_is_refused(tiny_checkpoint: Path) -> None:
    with pytest.raises(ValueError, match="template 'llama3': this engine knows only 'qwen2_vl'"):
        ENGINE.open(Settings(str(tiny_checkpoint), template="llama3"))


@pytest.mark.parametrize("model", ["/no/such/folder", "./saves/none", "saves/a/b"])
def test_a_missing_checkpoint_is_named(model: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"{model}: expected a checkpoint folder"):
        ENGINE.open(Settings(model))


def test_no_checkpoint_at_all_is_told() -> None:
    with pytest.raises(ValueError, match="no model given"):
        ENGINE.open(Settings())


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="expected a Qwen2.5-VL .*, got a gpt2"):
        ENGINE.open(Settings(str(tmp_path)))
