"""The report as files: complete, well formed, self-contained, safe and always the same."""

import re
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from impromptu import report
from impromptu.report import Run, Scene
from impromptu.report.text import markdown_cell

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Checks nesting and gathers what a test asks for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.text += f"{data} "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def out(
    tmp_path: Path, runs: Sequence[Run], scenes: Sequence[Scene], manifest: dict[str, Any]
) -> Path:
    folder = tmp_path / "report"
    title = "Left & right"
    return write(folder, title, runs, scenes, ["make demo"], manifest)


def write(
    folder: Path, title: str, runs: Sequence[Run], scenes: Sequence[Scene], *more: Any
) -> Path:
    """Write every form of a report."""
    (file,) = report.sample_files(runs)
    made = report.build(title, runs, {file.path: scenes}, *more)
    made.write_html(folder / "report.html")
    made.write_markdown(folder)
    made.write_tables(folder)
    return folder


@pytest.fixture
def page(out: Path) -> Page:
    return Page((out / "report.html").read_text(encoding="utf-8"))


@pytest.fixture
def markdown(out: Path) -> str:
    return (out / "report.md").read_text(encoding="utf-8")


def test_every_run_figure_and_count_is_there(page: Page, markdown: str) -> None:
    text = " ".join(page.text.split())
    for both in (text, markdown):
        for words in (
            "What short is.",
            "What echo is.",
            "make demo",
            "up_to_3s (m) ↓",
            "miss_rate (share) ↓",
            "ADE over all steps of the horizon",
            "3 logs, 61 clips",
            "14 future_under_5s, 6 past_under_1.5s",
            "5 gap, 2 no_pose",
            "row 3: expected 30 columns, got 29",
            "reason 1",
            "preset",
        ):
            assert words in both, words
    assert "asked 6 6 answered 5 6 missing 1 0 read 4 6 unreadable 1 0" in text
    assert "q7 61 41 20" in text
    # Four answers of six can be read; they are 0, 1, 3 and 4 m short all along: 2 m on average.
    assert re.search(r"\| ade \(m\) ↓ \| 2\.000 \| 0\.000 \|", markdown)
    assert re.search(r"\| read \| 4 \| 6 \|", markdown)
    assert re.search(r"\| missing \| 1 \| 0 \|", markdown)
    assert re.search(r"\| unreadable \| 1 \| 0 \|", markdown)
    assert re.search(r"\| +\| q7 \| 61 \| 41 \| 20 \|", markdown)


def test_the_page_says_what_the_markdown_says(page: Page, markdown: str) -> None:
    numbers = re.findall(r"\d+\.\d{3}", markdown)
    # Of two runs; their difference; and two headlines of one run under four policies.
    assert len(numbers) == 2 * (10 + 3) + 1 + 2 * 4
    assert sorted(re.findall(r"\b\d+\.\d{3}\b", page.text)) == sorted(numbers)


def test_text_of_a_model_stays_text(page: Page, out: Path) -> None:
    assert len(page.all("script")) == 1
    assert "<script>alert('left')</script> | then `stop`" in page.text
    assert (out / "report.html").read_text(encoding="utf-8").count("<script") == 1
    (policy,) = [one for one in page.all("meta") if "http-equiv" in one]
    assert str(policy["content"]).startswith("default-src 'none'; img-src data:")


def test_markdown_keeps_hostile_text_in_its_cell(markdown: str) -> None:
    (row,) = [line for line in markdown.splitlines() if line.startswith("| short | – |")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
    assert "`` Turn <script>alert('left')</script> \\| then `stop` ``" in row


def test_nothing_is_fetched_from_elsewhere(page: Page, out: Path) -> None:
    content = (out / "report.html").read_text(encoding="utf-8")
    # A clip path of a drawing is named by its place in the page itself.
    assert not re.search(r"https?://|//cdn|@import|url\((?!#)", content)
    assert {str(image["src"])[:11] for image in page.all("img")} == {"data:image/"}
    assert not page.all("link")


def test_markdown_shows_pictures_that_are_there(markdown: str, out: Path) -> None:
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", markdown)
    assert shown == [
        "pictures/wide.png",
        "pictures/01_front.jpg",
        "pictures/01_above.png",
        "pictures/02_front.jpg",
        "pictures/02_above.png",
    ]
    assert all((out / name).stat().st_size > 1000 for name in shown)


def test_the_page_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert all(len(str(image["alt"])) > 30 for image in page.all("img"))
    assert all(cell.get("scope") in ("col", "row", "rowgroup") for cell in page.all("th"))
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    anchors = {str(link["href"]).removeprefix("#") for link in page.all("a")}
    assert anchors == {str(section["id"]) for section in page.all("section")}


def test_same_runs_same_bytes_and_no_path_of_this_machine(
    out: Path,
    tmp_path: Path,
    runs: Sequence[Run],
    scenes: Sequence[Scene],
    manifest: dict[str, Any],
) -> None:
    again = tmp_path / "again"
    write(again, "Left & right", runs, scenes, ["make demo"], manifest)
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert len(files) == 11
    for name in files:
        assert (out / name).read_bytes() == (again / name).read_bytes()
        assert str(tmp_path).encode() not in (out / name).read_bytes()


def test_a_scene_without_an_image_says_so(
    tmp_path: Path, runs: Sequence[Run], scenes: Sequence[Scene], manifest: dict[str, Any]
) -> None:
    (tmp_path / "front.png").unlink()
    folder = write(tmp_path / "r", "t", runs, scenes, [], manifest)
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 2
    assert page.text.count("There is no calibrated front image to draw on.") == 2


def test_a_verdict_is_told_and_only_drawn_runs_have_a_mark(
    tmp_path: Path, runs: Sequence[Run], scenes: Sequence[Scene], manifest: dict[str, Any]
) -> None:
    baseline = replace(runs[1], name="still", role="baseline", pictured=False)
    judged = [runs[0], replace(runs[1], role="truth"), baseline]
    write(tmp_path, "t", judged, scenes, ["make demo"], manifest)
    said = "short does not beat still, which sees no image: ade_fde ade 2.000 m against 0.000 m, on"
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    shown = " ".join(Page(text).text.split())
    assert said in shown
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"**{markdown_cell(said)}" in markdown
    assert "● short ■ echo still asked" in shown.replace("\xa0", " ").replace("samples ", "")
    assert "| still |" in markdown
