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
from impromptu.engines._qwen_chat import chat_text, open_images, prompt_length
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
def qwen3(tiny_qwen3: Path, media_dir: Path) -> Qwen:
    return load(_settings(tiny_qwen3, media_dir, template="qwen3_vl_nothink"))


@pytest.fixture(scope="module", params=["qwen", "qwen3"])
def either(request: pytest.FixtureRequest) -> Qwen:
    model: Qwen = request.getfixturevalue(request.param)
    return model


@pytest.fixture(scope="module")
def llamafactory_inputs(either: Qwen, media_dir: Path) -> Any:
    """What LLaMA-Factory makes of a sample's prompt: token ids, pixels, grids."""
    pytest.importorskip("llamafactory", reason="needs the train extra: llamafactory")
    from llamafactory.data import get_template_and_fix_tokenizer
    from llamafactory.hparams import DataArguments, ModelArguments
    from llamafactory.model import load_tokenizer

    module = load_tokenizer(
        ModelArguments(model_name_or_path=either.settings.model, image_max_pixels=30_000)
    )
    tokenizer, processor = module["tokenizer"], module["processor"]
    told = DataArguments(template=either.settings.template)
    template = get_template_and_fix_tokenizer(tokenizer, told)

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
    either: Qwen, llamafactory_inputs: Any, sample: Sample
) -> None:
    ids, seen = llamafactory_inputs(sample)
    ours = either.encode(sample)
    assert ours["input_ids"][0].tolist() == ids
    assert set(ours) - {"input_ids", "attention_mask"} == set(seen)
    for key, value in seen.items():
        assert ours[key].dtype == value.dtype
        assert ours[key].equal(value)


@pytest.mark.parametrize("sample", [SHORT, LONG, MIDDLE], ids=lambda sample: sample.id)
def test_a_length_without_pixels_is_that_of_the_tokens(either: Qwen, sample: Sample) -> None:
    text = chat_text(sample.prompt, either.settings.template)
    token_ids = either.processor.tokenizer(text)["input_ids"]
    images = open_images(sample, either.settings)
    length = prompt_length(either.processor, token_ids, images)
    assert length == either.encode(sample)["input_ids"].shape[1]


def test_the_chat_text_is_what_the_checkpoints_own_template_writes(qwen: Qwen) -> None:
    content = [{"type": "image"}, {"type": "text", "text": "Which colour?"}]
    chat = [{"role": "user", "content": content}]
    written = qwen.processor.apply_chat_template(chat, add_generation_prompt=True)
    assert chat_text("<image>Which colour?", "qwen2_vl") == written


def test_a_batch_gives_what_its_samples_give_alone(either: Qwen) -> None:
    samples = [SHORT, LONG, MIDDLE]
    assert either(samples) == [completion for one in samples for completion in either([one])]


def test_where_images_are_is_told_to_a_transformers_that_asks(qwen: Qwen) -> None:
    """Version 5's processor marks image tokens; without the marks it places them as text."""
    short, long = (qwen.encode(one) for one in (SHORT, MIDDLE))
    pad = qwen.processor.tokenizer.convert_tokens_to_ids("<|image_pad|>")
    for one in (short, long):
        one["mm_token_type_ids"] = (one["input_ids"] == pad).long()
    batch = qwen._batch([short, long])
    assert batch["mm_token_type_ids"].equal((batch["input_ids"] == pad).long())
    assert batch["mm_token_type_ids"].any(dim=1).tolist() == [False, True]


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


def test_another_template_is_refused_and_those_there_are_named(tiny_checkpoint: Path) -> None:
    told = r"'llama3': this engine knows.*'qwen2_vl' \(Qwen2.5-VL\), 'qwen3_vl_nothink' "
    with pytest.raises(ValueError, match=told):
        ENGINE.open(Settings(str(tiny_checkpoint), template="llama3"))


def test_a_missing_checkpoint_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="saves/none: no such folder; expected"):
        ENGINE.open(Settings("./saves/none"))


def test_no_checkpoint_at_all_is_told() -> None:
    with pytest.raises(ValueError, match="no model given"):
        ENGINE.open(Settings())


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ValueError, match="expected a Qwen2.5-VL .*, got a gpt2$"):
        ENGINE.open(Settings(str(tmp_path)))


def test_the_template_of_another_model_is_refused_and_its_own_named(tiny_qwen3: Path) -> None:
    with pytest.raises(ValueError, match="got a qwen3_vl, whose template is qwen3_vl_nothink"):
        ENGINE.open(Settings(str(tiny_qwen3)))


def test_torn_weights_are_one_error(tiny_checkpoint: Path, tmp_path: Path) -> None:
    torn = shutil.copytree(tiny_checkpoint, tmp_path / "torn")
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:10_000])
    with pytest.raises(OSError, match="transformers did not start: SafetensorError: "):
        ENGINE.open(Settings(str(torn)))


def test_a_model_that_fails_at_a_batch_ends_the_run_in_one_line(
    tiny_checkpoint: Path, media_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: Any) -> None:
        raise RuntimeError("CUDA error:\n an illegal access")

    answer = load(_settings(tiny_checkpoint, media_dir))
    monkeypatch.setattr(answer.model, "generate", fails)
    with pytest.raises(OSError, match="torch failed at a/0/q4: .*CUDA error: an illegal access"):
        answer([SHORT])
