"""Whatever happens to a dataset's files: no traceback, no other log changed, no silent loss."""

import json
import os
import re
import resource
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from impromptu import datasets, plugins
from impromptu.cli import main
from impromptu.datasets import Dataset

from .recount import keyframes

# A failure is told with all that the fixture holds, and hypothesis warns of its length.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
DEADLINE_S, MEMORY = 20, 2 << 30
UNREAD = ".npy", ".bin"
# A seed says nothing to a shrinker.
PLAIN: dict[str, Any] = {"deadline": None, "phases": (Phase.explicit, Phase.generate)}
SEEDS = st.integers(0, 2**32)
Damage = Callable[[Random, Path], None]
Records = dict[str, list[tuple[str, Any]]]


@dataclass(frozen=True, repr=False)
class Whole:
    """A dataset's folder, what may be damaged in it (tables, images, folders), and its logs.

    Attributes:
        samples: Of each log.
        reads: Files and folders that each log reads.
    """

    folder: Path
    targets: Sequence[Sequence[Path]]
    samples: Records
    reads: Mapping[str, set[Path]]

    def safe(self, hit: set[Path]) -> set[str]:
        """Return the logs that read nothing of what is damaged; what none reads all may need."""
        readers = [
            {log for log, read in self.reads.items() if any(touch(path, one) for one in read)}
            or {*self.reads}
            for path in hit
        ]
        return {*self.samples}.difference(*readers)


def touch(path: Path, read: Path) -> bool:
    return read.is_relative_to(path) or path.parent == read


@pytest.fixture(scope="session")
def whole(shipped: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    found = sorted(path for path in shipped.rglob("*") if not {"lidar", "map"} & {*path.parts})
    files = [path for path in found if path.is_file() and path.suffix not in UNREAD]
    images = [path for path in files if path.suffix in (".jpg", ".png")]
    tables = [path for path in files if path not in images]
    kinds = (tables, images or tables, [path for path in found if path.is_dir()])
    targets = [[path.relative_to(shipped) for path in kind] for kind in kinds]
    with TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as scratch:
        link(shipped, Path(scratch) / "raw" / shipped.name)
        code, text = generate(Path(scratch), shipped.name)
        assert code == 0, text
        made = samples(Path(scratch) / "out")
        return Whole(shipped, targets, made, reads(shipped, made))


def link(source: Path, target: Path) -> None:
    """Put a copy of a folder elsewhere, its files hard links."""
    for folder, _, files in os.walk(source):
        to = target / os.path.relpath(folder, source)
        to.mkdir(parents=True)
        for name in files:
            os.link(Path(folder, name), to / name)


def generate(work: Path, dataset: str) -> tuple[int, str]:
    """Run the command, in bounded time and memory; return its exit code and what it says."""
    command = ["generate", "--data_raw", str(work / "raw"), "--out", str(work / "out")]
    command += ["--datasets", dataset, "--workers", "1", "--missing_images", "keep"]
    said = StringIO()
    with bounded(), redirect_stdout(StringIO()), redirect_stderr(said):
        return main([*command, "--mapillary_hz", "2"]), said.getvalue()


class TooLate(BaseException):
    """Not an Exception: nothing may catch it."""


@contextmanager
def bounded() -> Iterator[None]:
    def too_late(number: int, frame: FrameType | None) -> None:
        raise TooLate

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limits, handler = (
        resource.getrlimit(resource.RLIMIT_AS),
        signal.signal(signal.SIGALRM, too_late),
    )
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, DEADLINE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def samples(out: Path) -> Records:
    """Return (file, record) of each log's samples, all of them well formed."""
    found: Records = {}
    for path in sorted(out.rglob("*.json")):
        if path.name in ("manifest.json", "dataset_info.json"):
            continue
        records = json.loads(path.read_text())
        assert len({record["id"] for record in records}) == len(records)
        for record in records:
            asked, answer = (message["content"] for message in record["messages"])
            assert asked.count("<image>") == len(record["images"])
            assert not re.search(r"\b(nan|inf|infinity)\b", asked + answer, re.IGNORECASE)
            _, log, _ = record["id"].split("/", 2)
            found.setdefault(log, []).append((str(path.relative_to(out)), record))
    return found


def reads(folder: Path, records: Records) -> dict[str, set[Path]]:
    """Return the files and the folders of images, relative to a dataset's, that each log reads."""
    logs = plugins.load(datasets, folder.name, Dataset).logs(folder, folder.parent / "index")
    found = {log.id: {path.relative_to(folder) for path in log.inputs} for log in logs}
    mark = f"raw/{folder.name}/"
    for log, made in records.items():
        images = (image for _, record in made for image in record["images"] if mark in image)
        found[log] |= {Path(image.partition(mark)[2]).parent for image in images}
    return found


def check(whole: Whole, rng: Random, damage: Damage) -> None:
    """Damage up to three files or folders, generate, and look at what came of it."""
    dataset = whole.folder.name
    with TemporaryDirectory(dir=whole.folder.parent) as scratch:
        work = Path(scratch)
        root = work / "raw" / dataset
        link(whole.folder, root)
        hit = set[Path]()
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            kind = rng.choice([0] * 8 + [1, 2])
            path = rng.choice(whole.targets[kind])
            there = os.path.realpath(root / path) == os.path.join(os.path.realpath(root), path)
            if path not in hit and there and (root / path).exists():
                hit.add(path)
                damage(rng, root / path)
        note(f"damaged: {sorted(map(str, hit))}")
        code, text = generate(work, dataset)
        note(text)
        safe = whole.safe(hit)
        if code == 2:
            assert text.count("error:") == 1
            assert not safe, "undamaged logs were lost"
            assert any(named(path, text) for path in hit) or "Download it from" in text
            return
        manifest = json.loads((work / "out/manifest.json").read_text())["datasets"][dataset]
        account(dataset, root, manifest, hit)
        made = samples(work / "out")
        assert {log: made.get(log) for log in safe} == {log: whole.samples[log] for log in safe}


def named(path: Path, text: str) -> bool:
    """Tell whether a text names a file, or the folder that holds it."""
    return path.name in text or any(folder.name in text for folder in path.parents if folder.name)


def account(dataset: str, root: Path, manifest: Mapping[str, Any], hit: set[Path]) -> None:
    """Check that what went in came out, or was dropped, or failed by name."""
    logs = plugins.load(datasets, dataset, Dataset).logs(root, root.parent / "index")
    assert {log.split for log in logs} == set(manifest)
    for split, entry in manifest.items():
        for tally in entry["questions"].values():
            assert tally["asked"] == tally["samples"] + sum(tally["dropped"].values())
            assert tally["asked"] >= entry["clips"]
        written = sum(tally["samples"] for tally in entry["questions"].values())
        assert sum(entry["files"].values()) == written
        ids = [log.id for log in logs if log.split == split]
        assert entry["logs"] == len(ids)
        assert set(entry["logs_failed"]) <= set(ids)
        assert all(any(named(p, why) for p in hit) for why in entry["logs_failed"].values())
        read = [log for log in ids if log not in entry["logs_failed"]]
        found = entry["clips"] + sum(entry["keyframes_dropped"].values())
        assert keyframes(dataset, root, read) in (None, found)


@settings(max_examples=5, derandomize=True, **PLAIN)
@given(seed=SEEDS)
def test_a_little_damage(whole: Whole, damaging: Damage, seed: int) -> None:
    check(whole, Random(seed), damaging)  # noqa: S311 - no secret


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("DAMAGE_EXAMPLES", "40")), **PLAIN)
@given(seed=SEEDS)
def test_much_damage(whole: Whole, damaging: Damage, seed: int) -> None:
    check(whole, Random(seed), damaging)  # noqa: S311 - no secret


def test_the_recount_agrees_where_nothing_is_damaged(whole: Whole) -> None:
    """So that it tells something: it finds all keyframes, and none of them is no number."""
    dataset = whole.folder.name
    with TemporaryDirectory(dir=whole.folder.parent) as scratch:
        work = Path(scratch)
        link(whole.folder, work / "raw" / dataset)
        assert generate(work, dataset)[0] == 0
        manifest = json.loads((work / "out/manifest.json").read_text())["datasets"][dataset]
        logs = plugins.load(datasets, dataset, Dataset).logs(whole.folder, work / "index")
        for split, entry in manifest.items():
            ids = [log.id for log in logs if log.split == split]
            found = entry["clips"] + sum(entry["keyframes_dropped"].values())
            assert keyframes(dataset, whole.folder, ids) == found
