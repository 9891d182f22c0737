import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from impromptu import miniature, questions
from impromptu.clip_table import SCHEMA
from impromptu.generation import generate
from impromptu.part import Recipe
from impromptu.plugins import names
from impromptu.registry import load_samples
from impromptu.shards.packing import pack
from impromptu.splitting import shares_of, split

BY = ("meta_action", "weather")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("splitting")
    miniature.write(root / "raw", datasets=("nuscenes", "kitti"))
    recipe = Recipe(tuple(names(questions)))
    generate(root / "raw", root / "samples", ("nuscenes", "kitti"), None, recipe, 1)
    return root / "samples"


def samples(folder: Path) -> dict[str, tuple[str, list[Path]]]:
    """Where each sample of all files is, and its images."""
    return {
        row["id"]: (path.stem, [(folder / image).resolve() for image in row["images"]])
        for path in folder.rglob("*_*.json")
        if path.name not in ("dataset_info.json",)
        for row in json.loads(path.read_text(encoding="utf-8"))
    }


def test_every_sample_is_in_the_split_of_its_log(generated: Path, tmp_path: Path) -> None:
    out = tmp_path / "divided"
    result = split(generated, out, shares_of(0.3, 0), BY, 0)
    before, after = samples(generated), samples(out)
    assert {name: images for name, (_, images) in after.items()} == {
        name: images for name, (_, images) in before.items()
    }
    split_of = json.loads((out / "splits.json").read_text())
    assert split_of == result.split_of
    for name, (stem, _) in after.items():
        assert stem.rpartition("_")[2] == split_of["/".join(name.split("/")[:2])]
    assert {split_of[log] for log in split_of if "kitti" in log} == {"train", "val"}
    assert not result.dropped


def test_what_comes_out_has_the_layout_of_generation(generated: Path, tmp_path: Path) -> None:
    out = tmp_path / "divided"
    split(generated, out, shares_of(0.3, 0), BY, 0)
    assert load_samples(out, ["kitti_q7_val", "nuscenes_planning_val"])
    clips = pq.read_table(out / "clips/kitti_val.parquet")["id"].to_pylist()
    asked = {sample.id.rpartition("/")[0] for sample in load_samples(out, ["kitti_q6_val"])}
    assert asked < set(clips)
    pytest.importorskip("webdataset", reason="needs the shards extra: webdataset")
    result = pack(out, tmp_path / "packed", 10**9, 1)
    assert not result.shared
    assert all(
        not c["not_in_clip_table"]
        for s in result.counts.values()
        for t in s.values()
        for c in t.values()
    )


def test_the_same_seed_the_same_bytes_and_nothing_old_stays(
    generated: Path, tmp_path: Path
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    split(generated, one, shares_of(0.3, 0), BY, 0)
    split(generated, other, shares_of(0.2, 0.3), BY, 5)
    assert list(other.glob("kitti/*_test.json"))
    split(generated, other, shares_of(0.3, 0), BY, 0)
    files = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    assert [p for p in files if (one / p).read_bytes() != (other / p).read_bytes()] == []


def test_logs_of_one_drive_stay_together(generated: Path, tmp_path: Path) -> None:
    """The second and third scene show the same image, as a drive of two names would."""
    images = {
        scene: sorted((generated.parent / "raw/nuscenes/samples/CAM_FRONT").glob(f"*{scene}_*"))
        for scene in ("scene-0001", "scene-0003")
    }
    kept = images["scene-0003"][9].read_bytes()
    images["scene-0003"][9].write_bytes(images["scene-0001"][9].read_bytes())
    try:
        result = split(generated, tmp_path / "divided", shares_of(0.3, 0), BY, 0)
    finally:
        images["scene-0003"][9].write_bytes(kept)
    assert result.tied == [["nuscenes/scene-0001", "nuscenes/scene-0003"]]
    assert len({result.split_of[log] for log in result.tied[0]}) == 1


@pytest.mark.parametrize(("shared", "together"), [(2, False), (3, True)])
def test_logs_of_the_same_places_stay_together(
    shared: int, together: bool, generated: Path, tmp_path: Path
) -> None:
    """As Mapillary SLS has a drive under two sequence names; an origin may be shared by chance."""
    folder = tmp_path / "samples"
    (folder / "clips").mkdir(parents=True)
    for name in ("kitti_train", "kitti_test"):
        rows = pq.read_table(generated / f"clips/{name}.parquet").to_pylist()
        for at, row in enumerate(rows):
            row["world_x_m"] = 1000.0 + at % 41 + (0 if at % 41 < shared else 1000 * at)
            row["world_y_m"] = 5.0 if name == "kitti_train" else 6.0
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        pq.write_table(table, folder / f"clips/{name}.parquet")
    result = split(folder, tmp_path / "divided", shares_of(0.4, 0), (), 0)
    both = [[f"kitti/{name}_0000", f"kitti/{name}_0001"] for name in ("training", "testing")]
    assert sorted(map(list, result.tied)) == sorted(both if together else [])


def test_what_cannot_be_divided_is_told(generated: Path, tmp_path: Path) -> None:
    by = ["fog", "wether"]
    assert split(generated, tmp_path / "out", shares_of(0.1, 0), by, 0).unknown == {
        "fog": "",
        "wether": " Did you mean 'weather'?",
    }
    with pytest.raises(ValueError, match="together under 1"):
        shares_of(0.5, 0.5)
    with pytest.raises(FileNotFoundError, match="expected clip tables"):
        split(tmp_path, tmp_path / "x", shares_of(0.1, 0), BY, 0)
    with pytest.raises(ValueError, match="choose another --out"):
        split(generated, tmp_path, shares_of(0.1, 0), BY, 0)
