"""Our lengths and fates, sample by sample, against LLaMA-Factory's own pipeline."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from impromptu import miniature
from impromptu.cli import main
from impromptu.conversation import registry_entry
from impromptu.preflight.conversion import names_of
from impromptu.preflight.examine import Examiner, Job
from impromptu.preflight.fates import CUT
from impromptu.preflight.model import read_rules
from impromptu.preflight.plan import Plan, read_plan

from .conftest import SIZES, sample, shown, write_images

# Runs LLaMA-Factory up to its tokens, of one sample after the other, as it may stop at any.
ORACLE = """
import copy, json, sys
from impromptu import torch_cpu; torch_cpu.hook()
from llamafactory.data.template import TEMPLATES
from llamafactory.hparams import get_train_args
from llamafactory.model import load_tokenizer
from llamafactory.data import get_template_and_fix_tokenizer
from llamafactory.data.loader import _get_dataset_processor, _load_single_dataset
from llamafactory.data.parser import get_dataset_list
told, templates = [], copy.deepcopy(TEMPLATES)
for given in json.load(open(sys.argv[1])):
    TEMPLATES.update(copy.deepcopy(templates))  # a system message stays in them
    model, data, training, tuning, _ = get_train_args(given)
    loaded = load_tokenizer(model)
    template = get_template_and_fix_tokenizer(loaded["tokenizer"], data)
    one = get_dataset_list(data.dataset, data.dataset_dir)[0]
    rows = _load_single_dataset(one, model, data, training)
    processor = _get_dataset_processor(data, "sft", template, **loaded)
    image = loaded["processor"].image_token_id
    lengths = []
    for at in range(len(rows)):
        try:
            made = processor.preprocess_dataset(rows[at : at + 1])
            ids = made["input_ids"][0] if made["input_ids"] else None
            lengths.append(ids and [len(ids), ids.count(image)])
        except Exception as error:
            lengths.append(f"{type(error).__name__}: {error}")
    told.append(lengths)
json.dump(told, open(sys.argv[1], "w"))
"""

TEMPLATES: dict[str, dict[str, Any]] = {
    "qwen2_vl": {},
    "qwen3_vl": {},
    "qwen3_vl no": {"enable_thinking": False},
    "qwen3_vl_nothink": {},
    "qwen2_vl short": {"cutoff_len": 120},
    "qwen2_vl history": {"cutoff_len": 90, "mask_history": True},
    "qwen3_vl history": {"cutoff_len": 2048, "mask_history": True},
    "qwen2_vl pixels": {"image_max_pixels": 20_000, "image_min_pixels": 9_000},
    "qwen2_vl system": {"default_system": "You drive."},
    "qwen2_vl words": {"add_tokens": "<PLANNING>,</PLANNING>", "add_special_tokens": "word"},
}


def awkward() -> list[dict[str, Any]]:
    rows = [shown(f"size/{name}", name) for name in SIZES]
    rows += [shown("all", *SIZES), shown("twice", "usual.jpg", "usual.jpg")]
    texts = [
        "naïve café — 東京 🚗🚦",
        "a<|im_end|>\nb",
        "{{idx}} and {{content}} {x}",
        " \n\n ",
        "",
    ]
    texts += ["e\u0301 and é", "[1.00, -2.50]" * 40, "<PLANNING>[0.0, 0.0]</PLANNING>", "a\tb\r\n"]
    rows += [sample(f"text/{at}", text) for at, text in enumerate(texts)]
    rows += [shown(f"long/{n}", "usual.jpg", text="word " * n, answer="yes " * 9) for n in (60, 99)]
    rows += [shown(f"say/{n}", "usual.jpg", text="why?", answer="so " * n) for n in (80, 200)]
    rows.append(shown("late", "usual.jpg", "large.jpg"))
    rows[-1]["messages"][0]["content"] = "word " * 90 + "<image> and <image> end"
    many = [("user", "<image>a"), ("assistant", "<think>\nhm\n</think>\n\nb" * 2)]
    many += [("user", "c " * 30), ("assistant", "d"), ("user", "e"), ("assistant", "<think>\n")]
    turns = [{"role": role, "content": text} for role, text in many]
    rows.append({"id": "many", "images": ["odd.jpg"], "messages": turns})
    rows.append({"id": "odd", "images": [], "messages": turns[:1]})
    rows.append({"id": "order", "images": [], "messages": turns[1:3]})
    rows.append({"id": "none", "images": [], "messages": []})
    system = [{"role": "system", "content": "s"}, *turns[2:4]]
    rows.append({"id": "system", "images": [], "messages": system})
    rows.append({"id": "marks", "images": [], "messages": turns[:2]})
    rows.append(shown("missing", "gone.jpg"))
    rows.append(sample("media", "a <video> of it"))
    rows.append(shown("answered", "usual.jpg", text="x", answer="here: <image>"))
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("oracle")
    write_images(folder)
    miniature.write(folder / "raw", datasets=("nuscenes", "kitti"), logs=1, duration_s=7.0)
    main(["generate", "--data_raw", str(folder / "raw"), "--out", str(folder / "qa")])
    registry = {"awkward": registry_entry("awkward.json")}
    (folder / "awkward.json").write_text(json.dumps(awkward()))
    rows = [
        row for path in sorted(folder.glob("qa/*/q*.json")) for row in json.loads(path.read_text())
    ]
    for row in rows:
        row["images"] = [image.removeprefix("../") for image in row["images"]]
    assert len(rows) > 20
    registry["miniature"] = registry_entry("miniature.json")
    (folder / "miniature.json").write_text(json.dumps(rows[:: max(1, len(rows) // 60)]))
    (folder / "dataset_info.json").write_text(json.dumps(registry))
    return folder


def _qwen3(tiny: Path, folder: Path) -> Path:
    """Qwen3-VL's processor and config around the tiny model's tokenizer."""
    out = folder / "qwen3"
    shutil.copytree(tiny, out, ignore=shutil.ignore_patterns("*.safetensors"))
    processor = json.loads((out / "preprocessor_config.json").read_text())
    for key in ("min_pixels", "max_pixels"):
        processor.pop(key, None)
    processor |= {"patch_size": 16, "size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}}
    processor |= {"processor_class": "Qwen3VLProcessor"}
    processor |= {"image_processor_type": "Qwen2VLImageProcessorFast"}
    (out / "preprocessor_config.json").write_text(json.dumps(processor))
    video = json.loads((out / "video_preprocessor_config.json").read_text())
    video |= {"video_processor_type": "Qwen3VLVideoProcessor", "patch_size": 16}
    (out / "video_preprocessor_config.json").write_text(json.dumps(video))
    (out / "config.json").write_text(json.dumps({"model_type": "qwen3_vl"}))
    return out


@pytest.fixture(scope="module")
def trainings(data: Path, tiny_checkpoint: Path) -> dict[str, dict[str, Any]]:
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")
    qwen3 = _qwen3(tiny_checkpoint, data)
    made = {}
    for name, given in TEMPLATES.items():
        template = name.split()[0]
        for dataset in ("awkward", "miniature"):
            usual: dict[str, Any] = {
                "stage": "sft",
                "do_train": True,
                "finetuning_type": "full",
                "model_name_or_path": str(qwen3 if "qwen3" in name else tiny_checkpoint),
                "dataset": dataset,
                "dataset_dir": str(data),
                "template": template,
                "cutoff_len": 4096,
                "image_max_pixels": 262_144,
                "output_dir": str(data / "out"),
                "use_cpu": True,
            }
            made[f"{name} {dataset}"] = usual | given
    return made


@pytest.fixture(scope="module")
def told(trainings: dict[str, dict[str, Any]], data: Path) -> dict[str, list[Any]]:
    path = data / "asked.json"
    path.write_text(json.dumps(list(trainings.values())))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HF_DATASETS_CACHE": str(data / "cache"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-c", ORACLE, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=data)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip(trainings, json.loads(path.read_text()), strict=True))


def _plan(given: dict[str, Any], folder: Path) -> Plan:
    path = folder / "one.yaml"
    path.write_text(json.dumps(given))
    return read_plan(path)


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["awkward", "miniature"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_lengths_are_llamafactorys(
    template: str,
    dataset: str,
    trainings: dict[str, dict[str, Any]],
    told: dict[str, list[Any]],
    data: Path,
) -> None:
    name = f"{template} {dataset}"
    plan = _plan(trainings[name], data)
    rows = json.loads((data / f"{dataset}.json").read_text())
    entry = json.loads((data / "dataset_info.json").read_text())[dataset]
    found = Examiner(Job(read_rules(plan, Path(plan.model_name_or_path)), str(data))).examine(
        rows, names_of(entry)
    )
    fates = {at: reason for at, reason, _ in found.fates}
    for at, (row, theirs) in enumerate(zip(rows, told[name], strict=True)):
        fate = fates.get(at, "")
        if theirs is None:
            assert fate in ("odd_turns", "wrong_roles", "no_turns"), row["id"]
        elif isinstance(theirs, str):
            assert fate in ("marks", "missing_image"), (row["id"], fate, theirs)
        else:
            assert fate in ("", "chat_token", *CUT, "image_cut"), row["id"]
            if fate != "image_cut":
                assert found.kept[at] == theirs[0], (row["id"], found.tokens[at])
            if fate in ("", "chat_token"):
                assert found.tokens[at] == theirs[0]


@pytest.mark.train
@pytest.mark.slow
@pytest.mark.parametrize("template", ["qwen2_vl short", "qwen2_vl history"])
def test_images_are_cut_where_llamafactory_cuts_them(
    template: str, trainings: dict[str, dict[str, Any]], told: dict[str, list[Any]], data: Path
) -> None:
    name = f"{template} awkward"
    rows = json.loads((data / "awkward.json").read_text())
    plan = _plan(trainings[name], data)
    job = Job(read_rules(plan, Path(plan.model_name_or_path)), str(data))
    found = Examiner(job).examine(rows, names_of(registry_entry("")))
    ours = {at for at, reason, _ in found.fates if reason == "image_cut"}
    pairs = enumerate(zip(told[name], told["qwen2_vl awkward"], strict=True))
    counted = ((at, cut, whole) for at, (cut, whole) in pairs if isinstance(cut, list))
    theirs = {at for at, cut, whole in counted if cut[1] < whole[1]}
    assert ours == theirs
    assert len(theirs) > 2
