"""The commands of docs/shards.md run, one after the other, and what comes out can be read."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/shards.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)[0].splitlines()
PROGRAM = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
PLAIN = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
INDENTED = [line.strip() for line in re.findall(r"^    (.+)$", PLAIN, re.MULTILINE)]

pytest.importorskip("webdataset", reason="needs the shards extra: webdataset")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("shards") / "impromptu"
    for folder in ("scripts", "data_qa_generate"):
        shutil.copytree(ROOT / folder, copy / folder)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    }
    for command in COMMANDS:
        done = subprocess.run(
            shlex.split(command), cwd=copy, env=environment, capture_output=True, text=True
        )
        # The audit says 1 where it warns: a made-up camera that stands still shows the same again.
        wanted = (0, 1) if " audit " in command else (0,)
        assert done.returncode in wanted, f"{command}\n{done.stdout}\n{done.stderr}"
    return copy


@pytest.mark.slow
def test_the_program_reads_what_the_commands_wrote(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets", reason="needs the train extra: datasets")
    answer, samples = _told(PROGRAM, checkout)[:2]
    assert answer.startswith("<SPEED PATH PLAN>")
    assert "<FRONT VIEW>:" in samples


@pytest.mark.slow
def test_training_reads_what_the_commands_wrote(checkout: Path) -> None:
    """Every record passes LLaMA-Factory's own reader, which finds every image."""
    pytest.importorskip("llamafactory", reason="needs the train extra: llamafactory")
    program = """
from llamafactory.data.loader import _load_single_dataset
from llamafactory.data.parser import get_dataset_list
from llamafactory.hparams import DataArguments, ModelArguments
from transformers import Seq2SeqTrainingArguments
import json, os
data = DataArguments(dataset="impromptu_train", dataset_dir="build/data")
model = ModelArguments(model_name_or_path="x")
(one,) = get_dataset_list(data.dataset, data.dataset_dir)
loaded = _load_single_dataset(one, model, data, Seq2SeqTrainingArguments("out"))
assert len(loaded) == len(json.load(open("build/data/jsons/train/train.json")))
for row in loaded:
    assert row["_prompt"][0]["content"].count("<image>") == len(row["_images"])
    assert all(os.path.isfile(image) for image in row["_images"]), row["_images"]
print(len(loaded))
"""
    assert int(_told(program, checkout)[-1]) > 300


def _told(program: str, checkout: Path) -> list[str]:
    """Run a program; return the lines it prints."""
    environment = os.environ | {"HF_HOME": str(checkout / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_commands_outside_of_the_block_are_known(tmp_path: Path) -> None:
    """They need what is published, or a GPU: without it they say so in one line."""
    for command in INDENTED:
        words = shlex.split(command)
        if words[0] in ("pip", "llamafactory-cli"):
            if words[0] == "llamafactory-cli":
                assert (ROOT / words[2]).is_file()
            continue
        words = [sys.executable, "-m", "impromptu", *_impromptu(words)]
        words += ["--dry_run"] if "fetch" in words else []
        environment = os.environ | {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode in (2, 3), command  # 3: an audit that could not be done
        assert "unrecognized" not in done.stderr
        assert done.stderr.splitlines()[-1].startswith(("error: ", "fetching needs more")), command


def _impromptu(words: list[str]) -> list[str]:
    if words[0] == "impromptu":
        return words[1:]
    door = (ROOT / words[1]).read_text(encoding="utf-8")
    name = re.search(r'main\(\["([a-z-]+)"', door)
    assert words[0] == "python"
    assert name is not None
    return [name[1], *words[2:]]
