"""A file that a user runs is a door: a usage docstring, imports, one call, 15 lines at most."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOORS = sorted(
    path
    for folder in ("scripts", "train", "data_raw", "data_qa_generate", "neuroncap_evaluation")
    for path in (ROOT / folder).rglob("*.py")
)


def test_there_are_doors() -> None:
    assert DOORS


@pytest.mark.parametrize("path", DOORS, ids=lambda path: str(path.relative_to(ROOT)))
def test_door_has_no_logic(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= 15
    assert "python " in (ast.get_docstring(tree) or ""), "the docstring shows how to call it"
    body = [node for node in tree.body[1:] if not isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(body) == 1
    (guard,) = body
    assert isinstance(guard, ast.If), "workers import this file again: the call needs a guard"
    assert ast.unparse(guard.test) == "__name__ == '__main__'"
    assert len(guard.body) == 1
