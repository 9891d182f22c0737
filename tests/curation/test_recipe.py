from pathlib import Path

import pytest

from impromptu.curation.recipe import CurationRecipe, load_recipe

SHIPPED = Path(__file__).parents[2] / "data_qa_generate/curation.yaml"


def test_the_shipped_file_holds_the_defaults_and_all_of_them() -> None:
    assert load_recipe(SHIPPED) == load_recipe(None) == CurationRecipe()
    text = SHIPPED.read_text()
    assert all(f"\n{name}: " in text for name in CurationRecipe.__dataclass_fields__)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pack: 3", "unknown 'pack'; known are label_repeats.* Did you mean 'pack_s'"),
        ("pack_s: long", "pack_s: expected a number from 0.5 to 3600, got 'long'"),
        ("label_repeats: 1.5", "label_repeats: expected a whole number from 1 to 100"),
        ("label_repeats: null", "label_repeats: expected a whole number"),
        ("quota: true", "quota: expected a whole number from 0 to 1e.09 or null"),
        ("image_bits: 11", "image_bits: expected a whole number from 0 to 10 or null"),
        ("repeat_share: .nan", "repeat_share: expected a number from 0 to 1"),
        ("quotas: 3", "quotas: expected names with numbers"),
        ("quotas: {kitti: 3}", "quotas.kitti: expected names"),
        ("quotas: {kitti: {ice: 3}}", "quotas.kitti: no 'ice'; known: unclear_boundaries"),
        ("quotas: {kitti: {temporary_rules: -1}}", "quotas.kitti.temporary_rules: expected"),
    ],
)
def test_what_is_out_of_range_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ValueError, match=f"r.yaml: {told}"):
        load_recipe(tmp_path / "r.yaml")


def test_a_quota_of_its_own_wins() -> None:
    recipe = CurationRecipe(quota=9, quotas={"kitti": {"temporary_rules": 2}})
    assert recipe.quota_of("kitti", "temporary_rules") == 2
    assert recipe.quota_of("kitti", "unclear_boundaries") == 9
    assert CurationRecipe().quota_of("kitti", "temporary_rules") is None
