from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from impromptu.curation.image_hash import image_hash


def _picture(seed: int) -> Image.Image:
    patches = np.random.default_rng(seed).integers(0, 255, (8, 9), dtype=np.uint8)
    return Image.fromarray(patches).resize((720, 640), Image.Resampling.NEAREST)


def test_bits_tell_whether_the_patch_to_the_right_is_brighter(tmp_path: Path) -> None:
    shade = np.zeros((8, 9), dtype=np.uint8)
    shade[0, 1] = 200  # darker, brighter, darker
    Image.fromarray(shade).resize((720, 640), Image.Resampling.NEAREST).save(tmp_path / "a.png")
    assert image_hash(tmp_path / "a.png") == 1 << 63
    Image.fromarray(np.tile(np.arange(9, dtype=np.uint8) * 20, (8, 1))).save(tmp_path / "b.png")
    assert image_hash(tmp_path / "b.png") == 2**64 - 1


@pytest.mark.parametrize("seed", range(5))
def test_another_size_light_or_quality_changes_few_bits_another_picture_many(
    tmp_path: Path, seed: int
) -> None:
    picture = _picture(seed)
    picture.save(tmp_path / "a.png")
    lighter = picture.point(lambda shade: min(255, int(shade * 0.8 + 30)))
    lighter.resize((360, 320)).convert("RGB").save(tmp_path / "b.jpg", quality=60)
    _picture(seed + 100).save(tmp_path / "c.png")
    one, other, another = (image_hash(tmp_path / name) for name in ("a.png", "b.jpg", "c.png"))
    assert one is not None and other is not None and another is not None
    assert (one ^ other).bit_count() <= 4 < 15 < (one ^ another).bit_count()


def test_what_cannot_be_decoded_has_none(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff no")
    assert image_hash(tmp_path / "a.jpg") is None
    assert image_hash(tmp_path / "none.jpg") is None
