from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

from impromptu import miniature
from impromptu.cli import main
from impromptu.files import read_json
from impromptu.miniature.files import Drive, Pictures


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.slow
def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    for out, seed in ((first, 3), (second, 3), (other, 4)):
        miniature.write(out, seed=seed, logs=2, duration_s=1.0)
    assert contents(first) == contents(second)
    assert len(contents(first)) > 100
    for name in miniature.DATASETS:
        same = contents(first / name).items() & contents(other / name).items()
        assert not [
            file
            for file, _ in same
            if Path(file).suffix in (".jpg", ".png", ".txt")
            and "calib" not in file
            and "maps" not in file
            and "ImageSets" not in file
        ]


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    [folder] = miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
    (folder / "mine.txt").write_text("a note")
    miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
    assert (folder / "mine.txt").is_file()
    assert read_json(folder / "miniature.json")["logs"] == 1


@pytest.mark.parametrize(
    "other", ({"seed": 1}, {"logs": 2}, {"duration_s": 2.0}, {"images": False})
)
def test_another_miniature_is_never_overwritten(
    tmp_path: Path, other: dict[str, int | float | bool]
) -> None:
    miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
    before = contents(tmp_path)
    arguments = {"logs": 1, "duration_s": 1.0, **other}
    with pytest.raises(FileExistsError, match="kitti.*something else"):
        miniature.write(tmp_path, datasets=["kitti"], **arguments)  # type: ignore[arg-type]
    assert contents(tmp_path) == before


def test_somebody_elses_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "nuscenes").mkdir()
    (tmp_path / "nuscenes" / "real.json").write_text("{}")
    with pytest.raises(FileExistsError, match="choose another folder"):
        miniature.write(tmp_path, datasets=["nuscenes"], logs=1, duration_s=1.0)
    assert list(contents(tmp_path)) == ["nuscenes/real.json"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "kitti").mkdir()
    miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
    assert (tmp_path / "kitti" / "miniature.json").is_file()


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
        (root / "half").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(miniature.WRITERS, "kitti", fails)
    with pytest.raises(KeyboardInterrupt):
        miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
    assert not list(tmp_path.iterdir())


def test_two_at_once_end_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process finishes first, while this one writes."""
    write = miniature.WRITERS["kitti"]

    def slow(root: Path, drives: Iterable[Drive], pictures: Pictures) -> None:
        monkeypatch.setitem(miniature.WRITERS, "kitti", write)
        miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
        write(root, drives, pictures)

    monkeypatch.setitem(miniature.WRITERS, "kitti", slow)
    miniature.write(tmp_path, datasets=["kitti"], logs=1, duration_s=1.0)
    assert [path.name for path in tmp_path.iterdir()] == ["kitti"]


@pytest.mark.slow
def test_without_pictures_every_file_is_there_and_valid(tmp_path: Path) -> None:
    drawn, quick = tmp_path / "drawn", tmp_path / "quick"
    for out, images in ((drawn, True), (quick, False)):
        miniature.write(out, logs=2, duration_s=2.0, images=images)
    assert list(contents(drawn)) == list(contents(quick))
    pictures = [path for path in quick.rglob("*") if path.suffix in (".jpg", ".png")]
    assert len({path.stat().st_ino for path in pictures}) < len(pictures) / 3
    for path in pictures:
        with Image.open(path) as image, Image.open(drawn / path.relative_to(quick)) as other:
            assert image.size == other.size
            image.load()
    for name, digest in contents(drawn).items():
        if Path(name).suffix in (".json", ".txt") and not name.endswith("miniature.json"):
            assert contents(quick)[name] == digest, name


def test_drives_do_not_depend_on_how_many_follow() -> None:
    few, many = ([*miniature.drives("kitti", 0, logs, 5.0)] for logs in (1, 3))
    assert few[0].world.story == many[0].world.story
    assert len(few[0].world.bodies) == len(many[0].world.bodies)


@pytest.mark.parametrize(
    ("arguments", "message"),
    (
        ({"datasets": ["carla"]}, "no miniature of 'carla'"),
        ({"logs": 0}, "at least 1 log"),
        ({"duration_s": 0.5}, "1 to 30 s"),
        ({"duration_s": 31.0}, "1 to 30 s"),
        ({"datasets": ["kitti"], "logs": 43}, "at most 42"),
    ),
)
def test_what_cannot_be_made_is_refused(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        miniature.write(tmp_path, **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_the_command_writes_and_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["miniature", "--out", str(tmp_path), "--datasets", "kitti", "--duration_s", "1"]
    assert main([*command, "--logs", "1"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'kitti'}\n"
    assert main([*command, "--logs", "2"]) == 2
    assert capsys.readouterr().err.startswith("error: ")
