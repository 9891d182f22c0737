"""The engines themselves, on a CPU: each gives the text that the others give.

`make test-engines` makes their environments and runs this; where one is missing its tests are
skipped. A tiny model is trained first, until it knows twenty samples by heart, and kept under
``build/real_engines``.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.train]

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/real_engines"
DATA, MODEL, ANSWERS = BUILD / "data", BUILD / "model", BUILD / "answers"
TWENTY = Path(__file__).with_name("_twenty.py")
STUBS = Path(__file__).with_name("stubs")

SGLANG_ON_CPU = {
    "device": "cpu",
    "attention_backend": "torch_native",
    "mm_attention_backend": "sdpa",
    "sampling_backend": "pytorch",
    "dtype": "float32",
    "grammar_backend": "none",
    "disable_radix_cache": True,
    "skip_server_warmup": True,
    "mem_fraction_static": 0.2,
    "max_total_tokens": 16_384,
    "log_level": "error",
}
CONFIGS = {"vllm": {"dtype": "float32"}, "sglang": SGLANG_ON_CPU}
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "SGLANG_USE_CPU_ENGINE": "1",
    "PYTHONPATH": os.pathsep.join([str(STUBS), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    ),
}


def _python(engine: str) -> Path:
    """Return the Python of an engine's environment, or skip."""
    if engine == "transformers":
        return Path(sys.executable)
    python = ROOT / f".venv-{engine}/bin/python"
    if not python.is_file():
        pytest.skip(f"needs {python.parent.parent}: make test-engines")
    return python


def _run(words: Sequence[object], check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | ENVIRONMENT,
        timeout=900,
    )
    assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def _infer(environment: str, engine: str, name: str, *flags: object, check: bool = True) -> Path:
    out = ANSWERS / f"{name}.jsonl"
    for old in ANSWERS.glob(f"{name}.jsonl*"):
        old.unlink()
    config = ["--disable_cuda_graph", f"--{engine}_config", json.dumps(CONFIGS.get(engine))]
    words = [_python(environment), "-m", "impromptu", "infer", "--engine", engine]
    words += ["--model", MODEL, "--dataset", "twenty", "--dataset_dir", DATA, "--save_name", out]
    words += ["--image_max_pixels", 12_544, "--max_new_tokens", 100]
    _run([*words, *(config if engine in CONFIGS else ()), *flags], check)
    return out


def _texts(path: Path) -> list[str]:
    return [json.loads(line)["predict"] for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def truth() -> list[str]:
    """Train the model, unless it is there; return what it has learnt."""
    pytest.importorskip("llamafactory", reason="needs the train extra: llamafactory")
    if not (MODEL / "model.safetensors").is_file():
        _run([sys.executable, TWENTY, BUILD])
    rows = json.loads((DATA / "twenty.json").read_text())
    return [row["messages"][1]["content"] for row in rows]


@pytest.mark.parametrize("engine", ["transformers", "vllm", "sglang"])
def test_an_engine_gives_what_was_learnt(engine: str, truth: list[str]) -> None:
    assert _texts(_infer(engine, engine, engine, "--cutoff_len", 2_048)) == truth


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_parity_with_transformers(engine: str, truth: list[str]) -> None:
    files = [ANSWERS / f"{one}.jsonl" for one in ("transformers", engine)]
    if not all(file.is_file() for file in files):
        pytest.skip("needs the test above")
    words = [sys.executable, "-m", "impromptu", "parity", "--model", MODEL, "--out", BUILD]
    told = _run([*words, "--a", files[0], "--b", files[1]]).stdout
    assert "20 samples, 20 with the same text (100.0%)" in told
    assert "5 with waypoints in both: 0.0000 m apart" in told


@pytest.mark.parametrize(
    ("engine", "template", "least"),
    [
        ("vllm", "qwen2_vl", 20),
        # Random weights choose half signs and rows that are no token: each tells these its way.
        ("vllm", "qwen3_vl_nothink", 15),
        ("sglang", "qwen3_vl_nothink", 15),
    ],
)
def test_parity_of_two_engines_in_the_environment_of_one(
    engine: str, template: str, least: int, truth: list[str], tiny_qwen3: Path, tmp_path: Path
) -> None:
    words = [_python(engine), "-m", "impromptu", "parity", "--a", "transformers", "--b", engine]
    words += ["--model", tiny_qwen3 if "3" in template else MODEL, "--template", template]
    words += ["--dataset", "twenty", "--dataset_dir", DATA, "--image_max_pixels", 12_544]
    words += ["--max_new_tokens", 24 if "3" in template else 100, "--disable_cuda_graph"]
    words += [f"--{engine}_config", json.dumps(CONFIGS[engine]), "--out", tmp_path]
    _run(words, check=False)
    parity = json.loads((tmp_path / "parity.json").read_text())
    assert parity["samples"] == 20
    assert parity["same"] >= least


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_start_that_fails_is_one_line(engine: str, truth: list[str], tmp_path: Path) -> None:
    words = [_python(engine), "-m", "impromptu", "infer", "--engine", engine, "--model", MODEL]
    words += ["--dataset", "twenty", "--dataset_dir", DATA, "--save_name", tmp_path / "out.jsonl"]
    done = _run([*words, f"--{engine}_config", '{"no_such_argument": 1}'], check=False)
    assert done.returncode == 2
    assert "did not start: TypeError: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_prompt_over_the_cutoff_is_that_samples_error(engine: str, truth: list[str]) -> None:
    flags = "--cutoff_len", 75, "--temperature", 1, "--parallel_sample_num", 2
    out = _infer(engine, engine, f"{engine}_short", *flags, check=False)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    reasons = {row["finish_reason"] for row in rows}
    assert len(rows) == 20 and {"stop", "error"} <= reasons
    assert all(len(row["predicts"]) == 2 for row in rows if row["finish_reason"] == "stop")


def test_the_models_own_template_gives_the_same(truth: list[str]) -> None:
    """The way of other families; of this one the checkpoint's template is the training's."""
    assert _texts(_infer("vllm", "vllm", "vllm_own", "--template", "own")) == truth


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_server_gives_the_same(engine: str, truth: list[str]) -> None:
    with _server(engine) as base_url:
        out = _infer(engine, "openai", f"{engine}_http", "--base_url", base_url)
    assert _texts(out) == truth


@contextmanager
def _server(engine: str) -> Iterator[str]:
    """Start an engine's own OpenAI-compatible server; yield where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags: list[object] = ["--port", port, "--host", "127.0.0.1"]
    if engine == "vllm":
        words: list[object] = ["-m", "vllm.entrypoints.openai.api_server", "--model", MODEL]
        flags += ["--dtype", "float32", "--enforce-eager", "--generation-config", "vllm"]
        flags += ["--max-model-len", 4_096]
    else:
        words = ["-m", "sglang.launch_server", "--model-path", MODEL]
        flags += ["--chat-template", "qwen2-vl", "--disable-cuda-graph"]
        for name, value in SGLANG_ON_CPU.items():
            flags += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    log = BUILD / f"{engine}_server.log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [str(word) for word in (_python(engine), *words, *flags)],
            stdout=file,
            stderr=file,
            env=os.environ | ENVIRONMENT,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until_s = time.monotonic() + 400
    while time.monotonic() < until_s:
        assert server.poll() is None, log.read_text()[-4000:]
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(log.read_text()[-4000:])
