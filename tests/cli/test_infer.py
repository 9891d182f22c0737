import json
from pathlib import Path

import pytest

from impromptu.cli import main
from impromptu.conversation import Sample, registry_entry

SAMPLES = [Sample(f"log/{i}/q4", (), "Which colour?", colour) for i, colour in enumerate("RG")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        samples = [Sample(f"{name}/{s.id}", (), s.prompt, s.answer) for s in SAMPLES]
        rows = [sample.to_sharegpt() for sample in samples]
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    entries = {name: registry_entry(f"{name}.json") for name in ("one", "two")}
    (tmp_path / "dataset_info.json").write_text(json.dumps(entries))
    return tmp_path


def _infer(folder: Path, *flags: str, engine: str = "echo", dataset: str = "one") -> int:
    where = ["--dataset_dir", str(folder), "--save_name", str(folder / "new" / "p.jsonl")]
    return main(["infer", "--engine", engine, "--dataset", dataset, *where, *flags])


def _predicted(folder: Path) -> list[str]:
    lines = (folder / "new" / "p.jsonl").read_text().splitlines()
    return [json.loads(line)["predict"] for line in lines]


def test_several_datasets_make_one_file_in_order(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _infer(folder, "--max_samples", "1", dataset="two,one") == 0
    assert _predicted(folder) == ["R", "R"]
    assert "p.jsonl: 2 answers (2 stop)" in capsys.readouterr().out


def test_tasks_without_an_answer_are_counted(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _infer(folder, engine="constant_velocity") == 1
    told = capsys.readouterr()
    assert "2 answers (2 unsupported)" in told.out
    assert "cannot answer this task" in told.err


@pytest.mark.parametrize("flag", ["--max_samples", "--batch_size", "--temperature"])
def test_numbers_out_of_range_are_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    assert _infer(folder, flag, "-1") == 2
    assert f"{flag} -1" in capsys.readouterr().err


def test_flags_without_effect_are_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--temperature", "0.01", "--gpu_memory_utilization", "0.9", "--disable_cuda_graph"]
    assert _infer(folder, *flags) == 0
    told = capsys.readouterr().err
    assert "no effect on the engine 'echo': --temperature, --gpu_memory_utilization" in told
    assert "--disable_cuda_graph" in told


def test_every_flag_of_the_published_script_is_known(folder: Path) -> None:
    flags = """--model_name_or_path M --template qwen2_vl --cutoff_len 4096 --max_samples 5
    --preprocessing_num_workers 128 --vllm_config {} --temperature 0.01 --top_p 0.001 --top_k 1
    --max_new_tokens 3000 --repetition_penalty 1.0 --parallel_sample_num 1
    --tensor_parallel_size 1 --data_parallel_size 1 --image_resolution 262144
    --gpu_memory_utilization 0.9 --disable_cuda_graph False"""
    assert _infer(folder, *flags.split()) == 0


@pytest.mark.parametrize(
    ("flag", "able"),
    [
        ("tensor_parallel_size", "sglang, vllm can"),
        ("parallel_sample_num", "openai, sglang, transformers, vllm can"),
        ("adapter_name_or_path", "vllm can"),
    ],
)
def test_what_an_engine_cannot_do_is_refused_with_those_that_can(
    folder: Path, flag: str, able: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _infer(folder, f"--{flag}", "2") == 2
    told = f"error: --{flag} 2: the engine 'echo' cannot do that; {able}"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["transformers", "vllm", "sglang", "openai", "majority"])
def test_an_engine_without_what_it_opens_is_told_before_anything_else(
    folder: Path, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _infer(folder, engine=engine, dataset="nowhere") == 2
    needs = "what it was fitted to" if engine == "majority" else "a model"
    told = f"error: the engine '{engine}' needs --model_name_or_path: {needs}\n"
    assert capsys.readouterr().err == told
    assert not (folder / "new").exists()


def test_a_resumed_run_tells_how_far_it_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _infer(folder) == 0
    out = folder / "new" / "p.jsonl"
    out.write_text(out.read_text().splitlines()[0] + "\n")
    assert _infer(folder) == 0
    assert "1 of 2 answered already" in capsys.readouterr().err


def test_a_key_that_is_not_there_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    flags = ["--model_name_or_path", "m", "--base_url", "http://x/v1", "--api_key_env", "MY_KEY"]
    assert _infer(folder, *flags, engine="openai") == 2
    assert "--api_key_env MY_KEY: no such environment variable is set" in capsys.readouterr().err


def test_several_engines_here_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _infer(folder, "--workers", "2") == 2
    assert "need --backend ray" in capsys.readouterr().err


def test_a_registered_file_that_is_not_there_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "one.json").unlink()
    assert _infer(folder) == 2
    assert "one.json: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("config", ["{", "[1]"])
def test_a_config_that_is_no_json_object_is_refused(
    folder: Path, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _infer(folder, "--vllm_config", config)
    assert "--vllm_config: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("engine", "dataset", "flags", "told"),
    [
        ("ecko", "one", (), "Did you mean 'echo'?"),
        ("echo", "three", (), "has no 'three'; it has one, two"),
        ("echo", "one", ("--batch_size", "0"), "--batch_size 0: expected at least 1"),
    ],
)
def test_a_wrong_call_is_one_line(
    folder: Path,
    engine: str,
    dataset: str,
    flags: tuple[str, ...],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _infer(folder, *flags, engine=engine, dataset=dataset) == 2
    error = capsys.readouterr().err
    assert told in error
    assert len(error.splitlines()) == 1


@pytest.mark.train
def test_a_sample_that_cannot_be_asked_makes_the_exit_code_1(
    folder: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [Sample("lost", ("gone.png",), "<image>?", "Red"), SAMPLES[0]]
    (folder / "one.json").write_text(json.dumps([row.to_sharegpt() for row in rows]))
    flags = ["--model_name_or_path", str(tiny_checkpoint), "--max_new_tokens", "3"]
    assert _infer(folder, *flags, engine="transformers") == 1
    told = capsys.readouterr()
    assert "lost: " in told.err
    assert "gone.png: no such image" in told.err
    assert "2 answers (1 error, 1 length)" in told.out


def test_a_folder_is_no_file_of_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _infer(folder, "--save_name", str(folder)) == 2
    assert "expected a file to write, this is a folder" in capsys.readouterr().err
    assert not folder.with_name(f"{folder.name}.settings").exists()
