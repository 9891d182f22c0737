"""Every shipped YAML goes through the installed LLaMA-Factory's own parser."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
YAMLS = sorted((ROOT / "train").rglob("*.yaml"))
NUSCENES = [path for path in YAMLS if path.parent.name == "QA_train_sub_fin_nu"]
PUBLISHED = ROOT / "train/Qwen2_5-VL/QA_train_sub_fin_nu/3B_full_QA_train_bs8.yaml"

# What a machine without a GPU needs, and nothing else, is overridden.
WITHOUT_GPU = ("deepspeed=null", "use_cpu=true")
PARSE = """
import json, sys
from llamafactory.hparams import get_train_args, read_args
parsed = {}
for path in json.loads(sys.argv[1]):
    sys.argv[1:] = [path, *sys.argv[2:]]
    try:
        model, data, training, tuning, _ = get_train_args(read_args())
        parsed[path] = {**vars(model), **vars(data), **training.to_dict(), **vars(tuning)}
    except ValueError as error:
        parsed[path] = str(error)
print(json.dumps(parsed, default=str))
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Path -> all arguments, or the error's text; in one process, for its import is slow."""
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")
    bad = tmp_path_factory.mktemp("yaml") / "bad.yaml"
    bad.write_text(PUBLISHED.read_text(encoding="utf-8") + "image_resolution: 262144\n")
    paths = json.dumps([str(path) for path in (*YAMLS, bad)])
    done = subprocess.run(
        [sys.executable, "-c", PARSE, paths, *WITHOUT_GPU],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    arguments: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {Path(path).name if path == str(bad) else path: told for path, told in arguments.items()}


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_the_parser_accepts_every_key(parsed: dict[str, Any], path: Path) -> None:
    arguments = parsed[str(path)]
    assert isinstance(arguments, dict), arguments
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    for key in ("learning_rate", "cutoff_len", "image_max_pixels", "template", "finetuning_type"):
        assert arguments[key] == given[key]


def test_an_unknown_key_is_refused(parsed: dict[str, Any]) -> None:
    assert "image_resolution" in parsed["bad.yaml"]


@pytest.mark.parametrize("path", NUSCENES, ids=lambda path: path.name)
def test_the_published_recipe(parsed: dict[str, Any], path: Path) -> None:
    recipe = {
        "stage": "sft",
        "finetuning_type": "full",
        "template": "qwen2_vl",
        "cutoff_len": 4096,
        "image_max_pixels": 262_144,
        "learning_rate": 5e-6,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": 0.03,
        "num_train_epochs": 2.0,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8,
        "bf16": True,
        "freeze_vision_tower": True,
        "freeze_multi_modal_projector": True,
        "freeze_language_model": False,
        "dataset": ["nuscenes_train"],
    }
    arguments = parsed[str(path)]
    assert {key: arguments[key] for key in recipe} == recipe


def test_3b_and_7b_differ_in_their_names_only() -> None:
    three, seven = (path.read_text(encoding="utf-8") for path in NUSCENES)
    assert PUBLISHED in NUSCENES
    assert three.replace("3B", "7B").replace("3b", "7b") == seven


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_the_first_line_is_the_command(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.endswith(f"llamafactory-cli train {path.relative_to(ROOT).as_posix()}")
    assert first.startswith("# FORCE_TORCHRUN=1 " if "deepspeed" in path.read_text() else "# llama")


@pytest.mark.parametrize("path", YAMLS, ids=lambda path: path.name)
def test_what_it_names_is_in_the_repository(path: Path) -> None:
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    if given["dataset_dir"] == "data":  # other folders are generated
        registry = ROOT / "data" / "dataset_info.json"
        assert given["dataset"] in json.loads(registry.read_text(encoding="utf-8"))
    for key in {"freeze_vision_tower", "freeze_multi_modal_projector", "freeze_language_model"}:
        assert isinstance(given[key], bool), "LLaMA-Factory's default would decide unseen"
    if "deepspeed" in given:
        config = json.loads((ROOT / given["deepspeed"]).read_text(encoding="utf-8"))
        assert config["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed_configs_are_of_their_stage(stage: int) -> None:
    path = ROOT / f"train/deepspeed/ds_z{stage}_config.json"
    assert json.loads(path.read_text(encoding="utf-8"))["zero_optimization"]["stage"] == stage
