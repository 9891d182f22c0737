"""Every shipped YAML goes through the installed LLaMA-Factory's own parser."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from impromptu import training_matrix
from impromptu.cli import main

ROOT = Path(__file__).parents[2]
YAMLS = sorted((ROOT / "train").rglob("*.yaml"))
EXPORTS = [path for path in YAMLS if path.stem.endswith("_export")]
RUNS = [path for path in YAMLS if path not in EXPORTS]
NUSCENES = ROOT / "train/Qwen2_5-VL/QA_train_sub_fin_nu"
PUBLISHED = [NUSCENES / f"{size}_full_QA_train_bs8_published.yaml" for size in ("3B", "7B")]
WHOLE_MODELS = [path for path in RUNS if "_full_" in path.name and path.parts[-3] == "Qwen2_5-VL"]

# What `impromptu tiny-model` and `impromptu add-actions` write, in the words of docs/actions.md.
MADE_BY_COMMANDS = {"saves/tiny_model", "saves/tiny_actions"} | {
    f"saves/qwen2_5_vl-{size}/actions" for size in ("3b", "7b")
}

# Lists where the file has one value, and what is overridden here.
CHANGED = {"adapter_name_or_path", "dataset", "deepspeed", "lora_target", "report_to"}

# What a machine without a GPU needs, and nothing else, is overridden.
PARSE = """
import json, sys
from llamafactory.hparams import get_infer_args, get_train_args, read_args
parsed = {}
for path in json.loads(sys.argv[1]):
    merges = path.endswith("_export.yaml")
    sys.argv[1:] = [path] if merges else [path, "deepspeed=null", "use_cpu=true"]
    try:
        told = get_infer_args(read_args()) if merges else get_train_args(read_args())
        parsed[path] = {key: value for one in told for key, value in vars(one).items()}
    except ValueError as error:
        parsed[path] = str(error)
print(json.dumps(parsed, default=str))
"""


def _name(path: Path) -> str:
    return path.relative_to(ROOT / "train").as_posix()


def _given(path: Path) -> dict[str, Any]:
    given: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return given


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Path -> all arguments, or the error's text; in one process, for its import is slow."""
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")
    bad = tmp_path_factory.mktemp("yaml") / "bad.yaml"
    bad.write_text(PUBLISHED[0].read_text(encoding="utf-8") + "image_resolution: 262144\n")
    paths = json.dumps([str(path) for path in (*YAMLS, bad)])
    done = subprocess.run(
        [sys.executable, "-c", PARSE, paths], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    arguments: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {Path(path).name if path == str(bad) else path: told for path, told in arguments.items()}


@pytest.mark.parametrize("path", YAMLS, ids=_name)
def test_the_parser_accepts_every_key(parsed: dict[str, Any], path: Path) -> None:
    arguments = parsed[str(path)]
    assert isinstance(arguments, dict), arguments
    for key, value in _given(path).items():
        if key not in CHANGED:
            assert arguments[key] == value, key


def test_an_unknown_key_is_refused(parsed: dict[str, Any]) -> None:
    assert "image_resolution" in parsed["bad.yaml"]


@pytest.mark.parametrize("path", PUBLISHED, ids=_name)
def test_the_published_recipe(parsed: dict[str, Any], path: Path) -> None:
    recipe = {
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "template": "qwen2_vl",
        "cutoff_len": 4096,
        "image_max_pixels": 262_144,
        "video_max_pixels": 16_384,
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
        "save_steps": 1000,
        "logging_steps": 10,
        "plot_loss": True,
        "preprocessing_num_workers": 32,
        "overwrite_cache": True,
        "overwrite_output_dir": False,
        "ddp_timeout": 180_000_000,
        "val_size": 0.01,
        "eval_strategy": "no",
        "eval_steps": 100,
        "per_device_eval_batch_size": 1,
    }
    arguments = parsed[str(path)]
    assert {key: arguments[key] for key in recipe} == recipe
    assert _given(path)["deepspeed"] == "train/deepspeed/ds_z3_config.json"
    named = {"model_name_or_path", "output_dir", "dataset_dir", "deepspeed"}
    assert set(_given(path)) == set(recipe) | named


def test_the_files_are_those_of_the_table() -> None:
    table = training_matrix.yamls()
    shipped = {path.relative_to(ROOT).as_posix(): path.read_text() for path in YAMLS}
    for by_hand in ("tiny_cpu", "tiny_actions_cpu"):
        del shipped[f"train/Qwen2_5-VL/{by_hand}.yaml"]
    assert shipped == table, "run `impromptu train-yamls`"


def test_the_command_writes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train-yamls", "--out", str(tmp_path)]) == 0
    written = {
        path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.yaml")
    }
    assert written == training_matrix.yamls()
    assert str(len(written)) in capsys.readouterr().out


def test_the_matrix_is_whole() -> None:
    for model, sizes in {"Qwen2_5-VL": ("3B", "7B"), "Qwen3-VL": ("4B",)}.items():
        for data in ("QA_train", "QA_train_sub_fin_nu", "QA_train_AD_fin_nu"):
            for method in ("full", "lora"):
                names = {f"{size}_{method}_QA_train_bs8.yaml" for size in sizes}
                assert names <= {path.name for path in (ROOT / "train" / model / data).iterdir()}


def test_the_table_of_runs_names_every_file() -> None:
    text = (ROOT / "train/README.md").read_text(encoding="utf-8")
    cells = text.replace("{3B,7B}", "3B") + text.replace("{3B,7B}", "7B")
    for path in RUNS:
        assert f"`{path.relative_to(ROOT / 'train').as_posix()}`" in cells


@pytest.mark.parametrize("path", WHOLE_MODELS, ids=_name)
def test_the_other_size_differs_in_its_names_only(path: Path) -> None:
    other = path.with_name(path.name.replace("3B", "7B"))
    if other != path:
        text = path.read_text(encoding="utf-8").replace("3B", "7B").replace("3b", "7b")
        assert text == other.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", YAMLS, ids=_name)
def test_the_first_line_is_the_command(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    launch = "FORCE_TORCHRUN=1 " if "deepspeed" in _given(path) else ""
    verb = "export" if path in EXPORTS else "train"
    expected = f"# {launch}llamafactory-cli {verb} {path.relative_to(ROOT).as_posix()}"
    assert first == expected


@pytest.mark.parametrize("path", RUNS, ids=_name)
def test_what_it_leaves_to_no_default(path: Path) -> None:
    given = _given(path)
    for key in {"freeze_vision_tower", "freeze_multi_modal_projector", "freeze_language_model"}:
        assert isinstance(given[key], bool), "LLaMA-Factory's default would decide unseen"
    if "deepspeed" in given:
        config = json.loads((ROOT / given["deepspeed"]).read_text(encoding="utf-8"))
        stage = 3 if given["finetuning_type"] == "full" else 2
        assert config["zero_optimization"]["stage"] == stage


@pytest.mark.parametrize("path", RUNS, ids=_name)
def test_its_data_is_in_the_registry_it_names(path: Path, generated: Path) -> None:
    given = _given(path)
    folder = ROOT / "data" if given["dataset_dir"] == "data" else generated
    registry = json.loads((folder / "dataset_info.json").read_text(encoding="utf-8"))
    names = {name.strip() for name in given["dataset"].split(",")}
    assert names <= set(registry)
    if given["dataset_dir"] == "data_qa_results":
        trained = {name for name in registry if name.endswith("_train")}
        assert names == trained - {"nuscenes_planning_train", "nuscenes_train"}


def test_every_run_starts_from_weights_or_from_another_runs_result() -> None:
    made = {_given(path).get("export_dir") or _given(path)["output_dir"] for path in YAMLS}
    for path in YAMLS:
        start = _given(path)["model_name_or_path"]
        assert start.startswith("Qwen/") or start in made | MADE_BY_COMMANDS
        if path in EXPORTS:
            run = _given(path.with_name(path.name.replace("_export", "")))
            assert start == run["model_name_or_path"]
            assert _given(path)["adapter_name_or_path"] == run["output_dir"]
    assert len(made) == len(YAMLS), "two runs would write into one folder"


@pytest.mark.parametrize("stage", [2, 3])
def test_deepspeed_configs_are_of_their_stage(stage: int) -> None:
    path = ROOT / f"train/deepspeed/ds_z{stage}_config.json"
    assert json.loads(path.read_text(encoding="utf-8"))["zero_optimization"]["stage"] == stage
