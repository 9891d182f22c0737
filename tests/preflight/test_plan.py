import json
import os
import subprocess
import sys
from dataclasses import MISSING, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from impromptu.preflight.plan import Plan, read_plan

DEFAULTS = """
import json
from dataclasses import MISSING, fields
from impromptu import torch_cpu; torch_cpu.hook()
from llamafactory.hparams import DataArguments, FinetuningArguments, ModelArguments
from llamafactory.hparams import TrainingArguments
found = {}
for kind in (TrainingArguments, ModelArguments, DataArguments, FinetuningArguments):
    for one in fields(kind):
        value = one.default
        found[one.name] = None if value is MISSING or callable(value) else value
print(json.dumps(found, default=str))
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_values_are_replaced_as_on_the_command_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.yaml", "dataset: a, b\ncutoff_len: 4096\nnum_train_epochs: 2\n")
    plan = read_plan(path, ["cutoff_len=100", "dataset=c,d ,c", "max_samples=null", "bf16=true"])
    assert plan.cutoff_len == 100
    assert plan.dataset == ("c", "d")  # a name given twice is one dataset to LLaMA-Factory
    assert plan.max_samples is None
    assert plan.bf16 is True
    assert plan.num_train_epochs == 2.0


def test_numbers_as_yaml_and_as_omegaconf_write_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.yaml", "num_train_epochs: 1e1\nval_size: 5.0e-2\n")
    plan = read_plan(path)
    assert (plan.num_train_epochs, plan.val_size) == (10.0, 0.05)


def test_packing_takes_a_token_off(tmp_path: Path) -> None:
    path = write(tmp_path / "t.yaml", "cutoff_len: 100")
    assert read_plan(path).cutoff_tokens == 100
    assert read_plan(path, ["neat_packing=true"]).cutoff_tokens == 99


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- a\n- b\n", "expected a mapping"),
        ("a: [b\n", "not valid YAML"),
        ("cutoff_len: many\n", "cutoff_len is 'many'; expected a whole number"),
        ("cutoff_len: 10.5\n", "expected a whole number"),
        ("cutoff_len: .inf\n", "expected a whole number"),
        ("cutoff_len: true\n", "expected a whole number"),
        ("cutoff_len: 0\n", "expected at least 1"),
        ("num_train_epochs: .nan\n", "expected at least 0"),
        ("bf16: maybe\n", "expected true or false"),
        ("dataset: {a: b}\n", "expected names"),
        ("dataset: [1, 2]\n", "expected names"),
        ("template: [a]\n", "expected text"),
        ("1: 2\n", "expected names as keys"),
        ("image_max_pixels: 100\nimage_min_pixels: 200\n", "is smaller than"),
    ],
)
def test_what_is_no_plan_is_refused_by_name(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=told):
        read_plan(write(tmp_path / "t.yaml", text))


@pytest.mark.parametrize("override", ["cutoff_len", "=3", "a=[b"])
def test_overrides_are_key_and_value(override: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected key=value|not valid YAML"):
        read_plan(write(tmp_path / "t.yaml", "a: b"), [override])


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.yaml", tmp_path):
        with pytest.raises(FileNotFoundError, match="expected a LLaMA-Factory training YAML"):
            read_plan(path)


@pytest.mark.train
@pytest.mark.slow
def test_defaults_are_llamafactorys() -> None:
    if not find_spec("llamafactory"):
        pytest.skip("needs the train extra: llamafactory")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", DEFAULTS], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    theirs: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    for field in fields(Plan):
        if field.default is MISSING:
            continue
        ours = ",".join(field.default) if isinstance(field.default, tuple) else field.default
        assert (theirs[field.name] or None) == (ours or None), field.name
