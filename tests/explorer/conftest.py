import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, Thread

import pytest
from PIL import Image

from impromptu.conversation import Sample, registry_entry
from impromptu.explorer.index import Index, prepare
from impromptu.explorer.server import Site
from impromptu.files import write_json, write_json_list
from impromptu.local_server import Server

TOKEN = "key"  # noqa: S105
HOSTILE = "<script>document.title = 'owned'</script> & \"<img src=x onerror=alert(1)>\""
CLIPS = 30


def path_answer(*xy_m: tuple[float, float]) -> str:
    return f"<PLANNING>{', '.join(f'[{x:.2f}, {y:.2f}]' for x, y in xy_m)}</PLANNING>"


def straight(step_m: float) -> str:
    """Ten waypoints straight ahead."""
    return path_answer(*((step_m * k, 0.0) for k in range(1, 11)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Samples of 30 KITTI clips: q7 of each, q6 of two; and q5 of one that waits for a teacher.

    Every clip of the drive goes on by 2 m each half second.
    """
    out = tmp_path / "samples"
    (tmp_path / "raw").mkdir()
    for number in range(CLIPS):
        Image.new("RGB", (64, 36), (8 * number, 90, 120)).save(tmp_path / f"raw/{number}.jpg")
    was = "(t-0.5s) [-2.00, 0.00], Velocity: X 4.00, (t-0.0s) [0.0, 0.0], where next?"
    q7 = [
        Sample(f"kitti/0001/{n:06d}/q7", (f"../raw/{n}.jpg",), f"<image>\n{was}", straight(2.0))
        for n in range(CLIPS)
    ]
    words = ("KEEP,STRAIGHT", "STOP,LEFT_TURN")
    q6 = [
        Sample(
            f"kitti/0001/{n:06d}/q6",
            (f"../raw/{n}.jpg",),
            f"<image>\n{HOSTILE}" if n else "<image>\nWhat should it do?",
            f"<SPEED PATH PLAN>{word}</SPEED PATH PLAN>",
        )
        for n, word in enumerate(words)
    ]
    q5 = [Sample("kitti/0001/000000/q5/front", ("../raw/0.jpg",), "<image>\nDescribe it.", "")]
    for name, samples in (("q7_val", q7), ("q6_val", q6), ("unanswered/q5_val", q5)):
        write_json_list(out / f"kitti/{name}.json", [one.to_sharegpt() for one in samples])
    names = ("q6_val", "q7_val")
    registry = {f"kitti_{name}": registry_entry(f"kitti/{name}.json") for name in names}
    write_json(out / "dataset_info.json", registry)
    return out


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """Two runs: ``far`` is n x 0.1 m a step off at clip n; ``words`` answers q6, once wrong.

    ``far`` says something else at clip 3, has nothing of clip 4, and failed at clip 5.
    """
    base = tmp_path / "predictions"
    far: list[Mapping[str, object]] = [
        {"id": f"kitti/0001/{n:06d}/q7", "predict": straight(2 + 0.1 * n), "finish_reason": "stop"}
        for n in range(CLIPS)
    ]
    far[3] = {"id": far[3]["id"], "predict": HOSTILE}
    far[5] = {"id": far[5]["id"], "predict": "", "finish_reason": "error"}
    del far[4]
    write_lines(base / "far/q7_val.jsonl", far)
    words = [
        {
            "id": f"kitti/0001/{n:06d}/q6",
            "predict": "<SPEED PATH PLAN>KEEP,STRAIGHT</SPEED PATH PLAN>",
        }
        for n in (0, 1)
    ]
    write_lines(base / "words/q6_val.jsonl", words)
    return base


@pytest.fixture
def index(folder: Path, predictions: Path, tmp_path: Path) -> Index:
    built = prepare(folder, [predictions], tmp_path / "cache")
    built.build()
    return built


@contextmanager
def serving(index: Index) -> Iterator[str]:
    """Serve an index; yield its address."""
    site = Site(index, TOKEN, "127.0.0.1", None, Lock())
    with Server(site, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/{TOKEN}/"
        finally:
            server.shutdown()


@pytest.fixture
def address(index: Index) -> Iterator[str]:
    with serving(index) as found:
        yield found
