"""impromptu curate against a stand-in teacher: all of it, in trouble, killed, with nobody there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest

from impromptu import clip_table, miniature
from impromptu.asking import Spending
from impromptu.breakdown import labels
from impromptu.chat_server import Said, served
from impromptu.cli import main
from impromptu.curation import keyframes, running
from impromptu.curation.label_table import VOTES
from impromptu.curation.recipe import CurationRecipe
from impromptu.curation.stages import STAGES
from impromptu.engines import Settings
from impromptu.files import read_json
from impromptu.miniature.teacher import MODEL, Teacher
from impromptu.miniature.unusual import Curator, four_steps, plant
from impromptu.taxonomy import NAMES

pytest.importorskip("openai", reason="needs the openai extra: openai")

RECIPE = "image_bits: null\nnear_m: null\n"
"""Of drives whose images are all one picture."""


def draw(folder: Path, duration_s: float) -> None:
    """Write KITTI's miniature, and the images that it lacks."""
    miniature.write(folder, datasets=["kitti"], logs=3, duration_s=duration_s, images=False)
    for sequence in (folder / "kitti/data_tracking_image_2").glob("*/image_02/*"):
        there = sorted(sequence.glob("*.png"))
        for number in range(int(there[-1].stem)):
            if not (path := sequence / f"{number:06d}.png").exists():
                shutil.copyfile(there[0], path)


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives")
    draw(folder, 16.0)
    return folder


@pytest.fixture(scope="module")
def samples(drives: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("samples")
    flags = ["--data_raw", str(drives), "--out", str(out), "--questions", "q4", "--workers", "1"]
    assert main(["generate", *flags]) == 0
    return out


@pytest.fixture(scope="module")
def truth(samples: Path) -> dict[str, tuple[str, ...]]:
    tables = sorted((samples / "clips").glob("*.parquet"))
    return plant(name for path in tables for name in clip_table.read(path).ids)


class Listening(Teacher):
    """Notes what it is asked."""

    told: list[Any]


class Troubled(Listening):
    """Fails at half of all questions of any kind, the first time, and says what it was asked."""

    trouble = (
        (429, {"error": {"message": "busy"}}),
        (500, {"error": {"message": "broken"}}),
        (200, '{"choices": [{'),
        "",
        "I'm sorry, but I cannot help with that.",
        "Der Himmel ist klar und die Straße ist nicht zu sehen, es gibt auch keine Autos.",
        json.dumps({"category": 3}),
        json.dumps(four_steps(["Aliens on the road"])),
    )

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        name = unquote(headers["x-request-id"])
        text = json.dumps(body["messages"][-1]["content"][-1])
        self.told.append((name, text))
        chance = self._draw("trouble", name, text)
        if self.told.count((name, text)) == 1 and chance < 0.5 and "An earlier" not in text:
            which = self.trouble[int(2 * chance * len(self.trouble))]
            if isinstance(which, tuple):
                return which
            return _said(which)
        return await super().reply(headers, body)


def _said(text: str) -> Said:
    message = {"role": "assistant", "content": text}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    return 200, {"id": "1", "object": "chat.completion", "created": 0, "choices": choices}


def teacher(truth: Mapping[str, tuple[str, ...]], kind: type = Listening, **more: Any) -> Any:
    made = kind({}, faults={}, curator=Curator(truth), **more)
    made.told = []
    return made


def curate(samples: Path, out: Path, url: str, *flags: str) -> int:
    out.mkdir(exist_ok=True)
    (out / "recipe.yaml").write_text(RECIPE)
    told = ["--samples", str(samples), "--out", str(out), "--recipe", str(out / "recipe.yaml")]
    return main(["curate", *told, "--base_url", url, "--model", MODEL, *flags])


def voted(out: Path) -> dict[str, tuple[str, ...]]:
    """The categories that any label named, by keyframe."""
    rows = pq.read_table(out / "labels.parquet").to_pylist()
    pairs = list(zip(NAMES, VOTES, strict=True))
    return {row["id"]: tuple(name for name, vote in pairs if row[vote]) for row in rows}


def test_what_is_planted_is_found(
    samples: Path,
    truth: dict[str, tuple[str, ...]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served(teacher(truth)) as url:
        assert curate(samples, tmp_path / "out", url) == 0
    told = capsys.readouterr().out
    assert voted(tmp_path / "out") == truth
    funnel = read_json(tmp_path / "out/funnel.json")
    steps = {step["dropped_as"]: step["dropped"] for step in funnel["steps"]}
    seen = sum(map(bool, truth.values()))
    assert steps["conventional"] == len(truth) - seen
    kept = [json.loads(line) for line in (tmp_path / "out/kept.jsonl").read_text().splitlines()]
    # Two drives show something from 3 s on, into a second pack of 15 s only from 15 s on.
    assert len({one["id"].rpartition("/")[0] for one in kept}) == 2
    assert len(kept) == funnel["steps"][-1]["out"]
    assert all(set(one["categories"]) <= set(truth[one["id"]]) for one in kept)
    assert f"# {len(truth)} keyframes in, {len(kept)} clips out" in told
    groups = read_json(tmp_path / "out/categories.json")["groups"]
    assert sum(group["count"] for group in groups) == seen


def test_trouble_costs_requests_and_changes_nothing(
    samples: Path, truth: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    with served(teacher(truth)) as url:
        assert curate(samples, tmp_path / "calm", url) == 0
    troubled = teacher(truth, Troubled)
    with served(troubled) as url:
        assert curate(samples, tmp_path / "out", url) == 0
        assert voted(tmp_path / "out") == truth
        asked = len(troubled.told)
        assert curate(samples, tmp_path / "out", url) == 0
    assert len(troubled.told) == asked, "all was known"
    for name in ("kept.jsonl", "funnel.md", "fates.parquet"):
        one, other = ((tmp_path / folder / name).read_bytes() for folder in ("calm", "out"))
        assert one == other
    again = [text for _, text in troubled.told if "An earlier answer to this could not" in text]
    assert any("where only certain words are allowed" in text for text in again)
    assert not any("Aliens" in text for text in again), "never what the teacher said"


class Stubborn(Listening):
    """Never gives a usable label to one clip."""

    clip = ""

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        name = unquote(headers["x-request-id"])
        if name.startswith(self.clip + "/") and "four steps" in json.dumps(body["messages"]):
            self.told.append(name)
            return _said(json.dumps(four_steps(["Aliens on the road"])))
        return await super().reply(headers, body)


def test_what_is_given_up_is_counted_and_not_asked_for_ever(
    samples: Path, truth: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    made = teacher(truth, Stubborn)
    made.clip = next(name for name, seen in truth.items() if seen)
    with served(made) as url:
        assert curate(samples, tmp_path, url) == 0
        assert len(made.told) == 9, "three labels, each asked for three times"
        assert curate(samples, tmp_path, url) == 0
        assert len(made.told) == 9
    assert read_json(tmp_path / "funnel.json")["lost"] == {"not_labelled: unknown_words": 1}
    assert voted(tmp_path) == truth | {made.clip: ()}
    assert "Aliens" not in (tmp_path / "answers/label/answers.jsonl").read_text()


class Speechless(Listening):
    """Answers everything in the wrong way."""

    text = "Ja."

    async def reply(self, headers: Mapping[str, str], body: Mapping[str, Any]) -> Said:
        return _said(self.text)


def test_a_model_that_cannot_is_noticed_soon(
    samples: Path,
    truth: dict[str, tuple[str, ...]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served(teacher(truth, Speechless)) as url:
        assert curate(samples, tmp_path, url) == 2
    assert "replies in a row were no answers" in capsys.readouterr().err
    assert (tmp_path / "answers/describe/answers.jsonl").read_text() == ""
    assert not (tmp_path / "kept.jsonl").exists()


def test_nobody_there(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr("impromptu.asking.RETRIES", 0)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.01)
    assert curate(samples, tmp_path, "http://127.0.0.1:9/v1") == 2
    assert "cannot be reached" in capsys.readouterr().err
    assert curate(samples, tmp_path, "") == 2
    assert "--base_url" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--samples", "nowhere"], "clips: no clip tables; expected a folder that"),
        (["--concurrency", "0"], "--concurrency 0: expected at least 1"),
        (["--stages", "guess"], "invalid choice: 'guess'"),
        (["--api_key_env", "NOT_SET"], "NOT_SET: no such environment variable is set"),
    ],
)
def test_bad_flags_are_told(
    samples: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], told: str
) -> None:
    try:
        code = curate(samples, tmp_path, "http://127.0.0.1:9/v1", *flags)
    except SystemExit as error:
        code = int(str(error.code))
    assert code == 2
    assert told in capsys.readouterr().err


def test_a_mistyped_model_is_told_and_leaves_nothing_in_the_way(
    samples: Path,
    truth: dict[str, tuple[str, ...]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served(teacher(truth)) as url:
        assert curate(samples, tmp_path, url, "--model", "mistyped") == 2
        assert "there is no model 'mistyped'" in capsys.readouterr().err
        assert curate(samples, tmp_path, url) == 0
    assert voted(tmp_path) == truth


def test_of_two_runs_the_one_that_ends_last_writes_what_both_asked(
    samples: Path, truth: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    with served(teacher(truth)) as url:
        settings = Settings(MODEL, base_url=url)
        with running.open_curation(samples, tmp_path, CurationRecipe(), settings) as first:
            assert not list(running.proposals(first))
            with running.open_curation(samples, tmp_path, CurationRecipe(), settings) as other:
                for stage in STAGES:
                    running.ask(other, stage, Spending())
            running.write_labels(first)
            assert sum(1 for _ in running.proposals(first)) == sum(map(bool, truth.values()))
    assert voted(tmp_path) == truth


def test_selecting_before_labels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["curate", "--out", str(tmp_path), "--stages", "select"]) == 2
    assert "labels.parquet" in capsys.readouterr().err
    assert main(["curate", "--out", str(tmp_path)]) == 2
    assert "--samples: expected the folder" in capsys.readouterr().err


def test_a_budget_ends_a_run_that_goes_on_later(
    samples: Path,
    truth: dict[str, tuple[str, ...]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with served(teacher(truth)) as url:
        assert curate(samples, tmp_path, url, "--budget_tokens", "5000", "--concurrency", "2") == 1
        assert "the budget is used up" in capsys.readouterr().out
        assert not (tmp_path / "kept.jsonl").exists()
        assert curate(samples, tmp_path, url) == 0
    assert voted(tmp_path) == truth


def test_keyframes_without_an_image_are_counted_and_not_asked_about(
    drives: Path, truth: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    draw(tmp_path / "raw", 16.0)
    flags = ["--data_raw", str(tmp_path / "raw"), "--out", str(tmp_path / "samples")]
    images = sorted((tmp_path / "raw").rglob("*.png"))
    images[5].unlink()  # before: no prompt shows it
    assert main(["generate", *flags, "--questions", "q4", "--workers", "1"]) == 0
    images[10].unlink()  # after
    half = images[15].read_bytes()[:100]
    images[15].unlink()  # all names have one file
    images[15].write_bytes(half)
    with served(teacher(truth)) as url:
        assert curate(tmp_path / "samples", tmp_path / "out", url) == 0
    fates = pq.read_table(tmp_path / "out/fates.parquet").to_pylist()
    assert len(fates) == len(truth)
    lost = [row["id"] for row in fates if row["fate"] == "no_image"]
    assert len(lost) == 3
    assert read_json(tmp_path / "out/funnel.json")["lost"] == {
        "no_image: missing_image": 1,
        "no_image: no_prompt": 1,
        "no_image: unreadable_image": 1,
    }


def test_the_chosen_clips_are_generated_with_their_categories(
    drives: Path, samples: Path, truth: dict[str, tuple[str, ...]], tmp_path: Path, capsys: Any
) -> None:
    with served(teacher(truth)) as url:
        assert curate(samples, tmp_path, url) == 0
    kept = {
        one["id"]: one["categories"]
        for one in map(json.loads, (tmp_path / "kept.jsonl").read_text().splitlines())
    }
    flags = ["--data_raw", str(drives), "--out", str(tmp_path / "made"), "--workers", "1"]
    capsys.readouterr()
    assert main(["generate", *flags, "--clips", str(tmp_path / "kept.jsonl")]) == 0
    assert f"{len(kept)} of the {len(kept)} clips in" in capsys.readouterr().out
    made = [one for path in (tmp_path / "made/kitti").rglob("q4*.json") for one in read_json(path)]
    assert {one["id"].removesuffix("/q4") for one in made} == set(kept)
    manifest = read_json(tmp_path / "made/manifest.json")
    for split in manifest["datasets"]["kitti"].values():
        for question in split["questions"].values():
            assert question["asked"] == question["samples"] + sum(question["dropped"].values())
    told = Counter[tuple[str, str]]()
    for path in sorted((tmp_path / "made/clips").glob("*.parquet")):
        table = clip_table.read(path)
        chosen = [name for name in table.ids if name in kept]
        groups = labels(chosen, table) if chosen else {}
        for name in (*NAMES,):
            tag = VOTES[NAMES.index(name)].removeprefix("votes_")
            told.update((name, word) for word in groups.get(tag, ()))
    for name in NAMES:
        assert told[name, "yes"] == sum(name in of for of in kept.values())
        assert told[name, "no"] == sum(name not in of for of in kept.values())


@pytest.fixture
def slow(truth: dict[str, tuple[str, ...]]) -> Iterator[tuple[Any, str]]:
    made = teacher(truth, Troubled, latency_s=0.02)
    with served(made) as url:
        yield made, url


@pytest.mark.slow
def test_killed_at_any_time_it_asks_nothing_twice_that_was_stored(
    samples: Path, slow: tuple[Any, str], truth: dict[str, tuple[str, ...]], tmp_path: Path
) -> None:
    made, url = slow
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    command = [sys.executable, "-m", "impromptu", "curate", "--samples", str(samples), "--out"]
    command += [str(tmp_path), "--recipe", str(tmp_path / "recipe.yaml"), "--concurrency", "4"]
    command += ["--base_url", url, "--model", MODEL]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    kills = 0
    while True:
        before = len(made.told)
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            while run.poll() is None and len(made.told) < before + 150:
                time.sleep(0.02)
            if run.poll() is None:
                run.send_signal(signal.SIGKILL)
                kills += 1
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL
    assert kills >= 3
    assert voted(tmp_path) == truth
    stored = [
        json.loads(line)["key"]
        for path in sorted((tmp_path / "answers").glob("*/answers.jsonl"))
        for line in path.read_text().splitlines()
    ]
    assert len(stored) == len(set(stored))
    # Answered twice is only what was under way when a run was killed, four requests at most.
    calls = len(made.told)
    failed = sum(made._draw("trouble", *one) < 0.5 for one in set(made.told))
    assert calls <= len(stored) + failed + 4 * kills


def test_a_split_without_any_image_is_counted(drives: Path, tmp_path: Path, capsys: Any) -> None:
    draw(tmp_path / "raw", 4.0)
    flags = ["--data_raw", str(tmp_path / "raw"), "--out", str(tmp_path / "samples")]
    for path in (tmp_path / "raw/kitti/data_tracking_image_2/testing").rglob("*.png"):
        path.unlink()
    assert main(["generate", *flags, "--questions", "q4", "--workers", "1"]) == 0
    out = tmp_path / "keyframes.parquet"
    keyframes.gather(tmp_path / "samples", out)
    rows = pq.read_table(out).to_pylist()
    assert {(row["split"], row["image"] is None) for row in rows} == {
        ("train", False),
        ("test", True),
    }
    # A file that generation wrote, and somebody took away, is another matter.
    (tmp_path / "samples/kitti/unanswered/q4_train.json").unlink()
    with pytest.raises(FileNotFoundError, match="q4_train.json: no such file; front images"):
        keyframes.gather(tmp_path / "samples", out)


def test_keyframes_are_gathered_once(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "keyframes.parquet"
    count = keyframes.gather(samples, out)
    stamp = out.stat().st_mtime_ns
    assert keyframes.gather(samples, out) == count == pq.read_metadata(out).num_rows
    assert out.stat().st_mtime_ns == stamp
    rows = pq.read_table(out).to_pylist()
    assert {row["dataset"] for row in rows} == {"kitti"}
    assert {row["split"] for row in rows} == {"train", "test"}
    assert all((samples / row["image"]).is_file() for row in rows)
