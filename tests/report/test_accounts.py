"""Accounts of steps: columns of numbers are told apart, and both pages show every cell."""

from collections.abc import Sequence
from pathlib import Path

from impromptu import report
from impromptu.report import Account, Run
from impromptu.report.accounts import written


def test_a_column_of_numbers_is_one_without_words() -> None:
    account = Account("T", [], ("a", "b", "c"), [("x", 1, None), ("y", 2, 0.5)])
    assert account.columns == [("a", False), ("b", True), ("c", True)]
    assert Account("T", ["left out"]).columns == []


def test_cells() -> None:
    cells = [written(one) for one in (None, 1234567, 0.955, 1.0, "x")]
    assert cells == ["–", "1,234,567", "0.95", "1.00", "x"]


def test_both_pages_tell_them(runs: Sequence[Run], tmp_path: Path) -> None:
    account = Account("Left & out", ["why <b>"], ("a|b", "n"), [("x", 1234)], "impromptu y")
    none = Account("Gone", ["it needs z"])
    made = report.build("Title", runs, {}, accounts=[account, none])
    made.write_html(tmp_path / "r.html")
    made.write_markdown(tmp_path)
    page, text = (tmp_path / "r.html").read_text(), (tmp_path / "report.md").read_text()
    assert "<h3>Left &amp; out</h3>" in page and "<li>why &lt;b&gt;</li>" in page
    assert '<th scope="row">x</th><td class="number">1,234</td>' in page
    assert "impromptu y" in page and "it needs z" in page
    assert "| a\\|b | n |\n|:--|--:|\n| x | 1,234 |\n" in text
    assert "### Gone\n\n- it needs z\n" in text
    assert "The data engine" not in _without(runs, tmp_path)


def _without(runs: Sequence[Run], folder: Path) -> str:
    report.build("Title", runs, {}).write_html(folder / "plain.html")
    return (folder / "plain.html").read_text()
