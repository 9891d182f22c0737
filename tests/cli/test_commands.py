"""What holds of every command: its help, its answer to a typing error, its places to write."""

import argparse
import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from impromptu import cli, plugins
from impromptu.cli import Command, main
from impromptu.cli._parser import Parser
from impromptu.conversation import Sample, registry_entry
from impromptu.files import write_json

ROOT = Path(__file__).parents[2]
NAMES = plugins.names(cli)
DOORS = [
    *("scripts/calculate_accuracy.py", "scripts/evaluate_open_loop.py"),
    *("scripts/data_qa_generate.sh", "train/inference_scripts/transformers_infer.py"),
]


def _flags(name: str) -> Iterator[tuple[Parser, argparse.Action]]:
    parser = Parser(prog=name)
    plugins.load(cli, name, Command).add_arguments(parser)
    for part in (parser, *_parts(parser)):
        yield from ((part, one) for one in part._actions if one.option_strings)


def _parts(parser: Parser) -> list[Parser]:
    """The parsers of a command's parts, where it has any."""
    found = [one.choices for one in parser._actions if one.nargs == argparse.PARSER]
    return [part for choices in found for part in (choices or {}).values()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_every_flag_that_takes_a_value_tells_its_default(name: str) -> None:
    for parser, flag in _flags(name):
        if flag.nargs != 0 and not flag.required:
            text = parser._get_formatter()._expand_help(flag)
            assert text.endswith("]"), f"{flag.option_strings}: {text}"
            assert text.count("[") == 1 and "(default" not in text, text


@pytest.mark.parametrize("name", NAMES)
def test_every_flag_tells_what_it_is_and_takes(name: str) -> None:
    for _, flag in _flags(name):
        assert flag.help, flag.option_strings
        assert flag.nargs == 0 or flag.metavar or flag.choices, flag.option_strings


@pytest.mark.parametrize("name", NAMES)
def test_help_and_a_typing_error(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    # A command may have no flag of its own but --help.
    flags = [(part, one) for part, one in _flags(name) if one.nargs != 0] or [*_flags(name)]
    parser, flag = flags[0][0], flags[0][1].option_strings[-1]
    with pytest.raises(SystemExit) as ended:
        main([*parser.prog.split(), f"{flag}x", "1"])
    assert ended.value.code == plugins.load(cli, name, Command).not_done
    assert f"unrecognized arguments: {flag}x. Did you mean '{flag}'?" in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_a_command_quietly(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "impromptu", "check", "--data_raw", str(tmp_path)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("words", [["generat"], ["--verson"], ["generate", "--datasets", "nusc"]])
def test_the_nearest_name_is_given(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "Did you mean '" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-1", "4294967296", "a", "1.0"])
@pytest.mark.parametrize("name", ["miniature", "train-ego-mlp", "tiny-model", "evaluate", "judge"])
def test_a_seed_that_no_generator_takes_is_refused(
    name: str, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([name, f"--seed={word}"])
    assert "--seed: expected a whole number from 0 to 2^32 - 1" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--concurrency", "--repeats"])
def test_a_judge_gives_some_marks(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--gt", "q3.json", "--pred", "q3.jsonl", "--out", "marks.json"]
    assert main(["judge", *files, "--base_url", "x", "--model", "m", flag, "0"]) == 2
    assert f"{flag} 0: expected at least 1" in capsys.readouterr().err


@pytest.mark.parametrize("door", DOORS)
def test_doors_answer_help_and_typing_errors(door: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = ["bash" if door.endswith(".sh") else sys.executable, str(ROOT / door)]
    environment = os.environ | {"PATH": path}
    told = subprocess.run([*run, "--help"], env=environment, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    told = subprocess.run([*run, "--sed", "1"], env=environment, capture_output=True, text=True)
    assert told.returncode == 2
    assert "unrecognized arguments: --sed. Did you mean" in told.stderr or "generate" in door


@pytest.mark.parametrize(
    "words",
    [
        ["miniature", "--datasets", "kitti", "--out"],
        ["demo", "--data_raw", "{tmp}", "--out"],
        ["generate", "--datasets", "synthetic", "--data_raw", "{tmp}", "--out"],
        ["evaluate", "--gt", "{tmp}/q4.json", "--pred", "{tmp}/q4.json", "--out"],
        ["audit", "{tmp}/q4.json", "--json"],
        ["infer", "--engine", "echo", "--dataset", "q4", "--dataset_dir", "{tmp}", "--save_name"],
        ["prompts", "--out"],
        ["nuscenes-json", "--root"],
        ["train-ego-mlp", "--dataset", "q4", "--dataset_dir", "{tmp}", "--out"],
        ["tiny-model", "--out"],
        ["rerun", "a/b/c", "--out"],
    ],
    ids=lambda words: words[0],
)
def test_a_place_that_cannot_be_written_is_named(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder's name that leads through a file: nobody may write there, root included."""
    sample = Sample("a/b/c/q4", (), "Which light?", "Red")
    write_json(tmp_path / "q4.json", [sample.to_sharegpt()])
    write_json(tmp_path / "dataset_info.json", {"q4": registry_entry("q4.json")})
    words = [word.replace("{tmp}", str(tmp_path)) for word in words]
    assert main([*words, str(tmp_path / "q4.json" / "x" / "y")]) in (2, 3)
    told = capsys.readouterr()
    assert told.out == ""
    assert "cannot be written to (" in told.err and str(tmp_path / "q4.json" / "x") in told.err


def test_a_command_keeps_numpy_to_one_thread() -> None:
    code = """if True:
        import atexit
        from pathlib import Path
        from impromptu.cli import main
        names = lambda: [one.read_text() for one in Path("/proc/self/task").glob("*/comm")]
        atexit.register(lambda: print(len(set(names())), len(names())))  # others' have other names
        main(["generate", "--help"])
    """
    unset = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run([sys.executable, "-c", code], env=unset, capture_output=True, text=True)
    named, threads = done.stdout.splitlines()[-1].split()
    assert named == threads, done.stderr


def test_a_full_disk_is_told_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(args: argparse.Namespace) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def add_out(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--out", type=Path)

    command = Command("fill the disk", add_out, full)
    monkeypatch.setattr(plugins, "load", lambda *_: command)
    assert main(["miniature", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {tmp_path}: no space left on device\n"


def test_the_teachers_port_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--data_raw", str(tmp_path / "raw"), "--out", str(tmp_path / "out")]
    assert main(["miniature", "--out", str(tmp_path / "raw"), "--datasets", "kitti"]) == 0
    assert main(["generate", *flags, "--questions", "q4"]) == 0
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        found = main(["miniature-teacher", "--samples", str(tmp_path / "out"), "--port", port])
    assert found == 2
    told = capsys.readouterr().err
    assert f"error: --port {port}: " in told
    assert "address already in use; --port 0 takes a free one" in told
