"""The page in a real browser: folded, sorted, walked through by key, with hostile text inert."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from impromptu import report
from impromptu.report import Run, Scene

HOSTILE = (
    "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
)


@pytest.fixture
def address(
    tmp_path: Path, runs: Sequence[Run], scenes: Sequence[Scene], manifest: Mapping[str, Any]
) -> str:
    """A report of three scenes, one of which is all hostile."""
    bad = replace(scenes[0].sample, prompt=HOSTILE + "<image>")
    shown = [*scenes, replace(scenes[0], sample=bad, why=HOSTILE)]
    named = [replace(runs[0], name=HOSTILE), *runs[1:]]
    (file,) = report.sample_files(named)
    out = tmp_path / "report.html"
    report.build("Title", named, {file.path: shown}, [HOSTILE], manifest).write_html(out)
    return out.as_uri()


def test_the_page_by_key_and_by_click(page: Any, address: str) -> None:
    page.open(address)
    assert page.js("document.title") == "Title", "no hostile text ran"
    assert page.js("document.querySelectorAll('script').length") == 1
    assert page.js("document.querySelectorAll('[onerror]').length") == 0
    page.until("[...document.images].every(i => i.loading == 'lazy' || i.naturalWidth > 100)")
    assert page.js("document.querySelectorAll('svg.chart').length") == 2
    assert page.js("document.querySelector('svg.chart').getBoundingClientRect().height") > 100

    shown = "[...document.querySelectorAll('.scene')].findIndex(s => s.classList.contains('here'))"
    assert page.js(shown) == -1
    page.press("j")
    page.press("j")
    page.press("j")
    page.press("j")
    assert page.js(shown) == 2, "after the last comes none"
    page.press("k")
    assert page.js(shown) == 1
    page.until("Math.abs(document.querySelector('.here').getBoundingClientRect().top) < 300")
    page.js("document.querySelector('#previous').click()")
    assert page.js(shown) == 0
    page.js(
        "(s => { s.value = '2'; s.dispatchEvent(new Event('change')); })"
        "(document.querySelector('#scene'))"
    )
    assert page.js(shown) == 2

    page.press("c")
    assert page.js("document.querySelectorAll('details[open]').length") == 0
    page.press("o")
    assert page.js("document.querySelectorAll('details:not([open])').length") == 0
    page.js("document.querySelector('details.file > summary').click()")
    page.until("document.querySelectorAll('details:not([open])').length == 1")
    assert page.complaints() == []


def test_a_table_sorts_by_its_heading_both_ways(page: Any, address: str) -> None:
    page.open(address)
    # The truth has no error, and stays last.
    rows = (
        "[...document.querySelector('.answers').tBodies[0].rows]"
        ".map(r => r.cells[1].textContent.trim())"
    )
    assert page.js(rows) == ["", "1.00 m", "0.00 m"]
    click = "document.querySelector('.answers').querySelectorAll('thead button')[1].click()"
    page.js(click)
    assert page.js(rows) == ["0.00 m", "1.00 m", ""]
    page.js(click)
    assert page.js(rows) == ["1.00 m", "0.00 m", ""]
    assert page.js("document.querySelectorAll('[aria-sort=descending]').length") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_its_ground_and_nothing_is_wider_than_the_page(
    page: Any, address: str, scheme: str
) -> None:
    page.do(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    page.do(
        "Emulation.setDeviceMetricsOverride",
        width=390,
        height=800,
        deviceScaleFactor=1,
        mobile=False,
    )
    page.open(address)
    assert page.js("document.documentElement.scrollWidth <= 390")
    light = (
        "(c => (c.match(/[\\d.]+/g) || []).slice(0, 3).map(Number).reduce((a, b) => a + b) / 765)"
    )
    ink, ground = (
        page.js(f"{light}(getComputedStyle(document.body).{name})")
        for name in ("color", "backgroundColor")
    )
    assert abs(ink - ground) > 0.6 and (ink > ground) == (scheme == "dark")
    drawn = page.js(
        f"{light}(getComputedStyle([...document.querySelectorAll('svg.chart text')].at(-1)).fill)"
    )
    assert abs(drawn - ground) > 0.4, "charts are in the page's ink"


def test_without_javascript_everything_is_there(page: Any, address: str) -> None:
    page.do("Emulation.setScriptExecutionDisabled", value=True)
    page.do("Page.navigate", url=address)
    page.until("document.querySelectorAll('.scene').length == 3")
    assert page.js("document.querySelector('#tools').hidden")
    assert page.js("document.querySelector('details.file').open")
