"""Clicks and types through the explorer in a real browser, over its own debugging protocol."""

from typing import Any

import pytest


def test_the_pages_by_key_and_by_click(page: Any, address: str) -> None:
    page.open(address)
    assert page.js("document.querySelectorAll('a.row').length") == 25
    page.until("[...document.images].slice(0, 3).every(i => i.naturalWidth == 64)")
    assert page.js("getComputedStyle(document.querySelector('.row')).display") == "grid"

    page.press("n")
    page.until("location.search == '?page=2'")
    assert page.js("document.querySelectorAll('a.row').length") == 8
    page.press("p")
    page.until("document.querySelectorAll('a.row').length == 25")

    page.press("j")
    page.press("j")
    page.press("k")
    page.press("j")
    assert page.js("document.activeElement.querySelector('.name').textContent").endswith("1/q6")
    page.press("Enter")
    page.until("location.pathname.endsWith('/sample/2')")
    assert page.js("document.title") == "kitti/0001/000001/q6", "the hostile prompt did not run"
    assert "document.title = 'owned'" in page.js("document.querySelector('.prompt').textContent")

    page.press("j")
    page.until("location.pathname.endsWith('/sample/3')")
    assert page.js("document.querySelectorAll('.above polyline').length") == 3
    assert page.js("document.querySelector('.above svg').getBoundingClientRect().height") > 100
    page.press("k")
    page.until("location.pathname.endsWith('/sample/2')")
    page.press("u")
    page.until("document.querySelectorAll('a.row').length == 25")

    page.press("/")
    assert page.js("document.activeElement.name") == "text"
    for letter in "jn 000012":
        page.press(letter)
    assert page.js("document.activeElement.value") == "jn 000012", "keys that are typed are text"
    page.js("document.activeElement.value = '000012'")
    page.press("Enter")
    page.until("location.search.includes('text=000012')")
    assert page.js("document.querySelector('.count strong').textContent") == "1"

    page.open(address)
    page.js(
        "(s => { s.value = 'unreadable'; s.dispatchEvent(new Event('change', {bubbles: true})); })"
        "(document.querySelector('select[name=state]'))"
    )
    page.until("location.search.includes('state=unreadable')")
    page.js("document.querySelector('a.row').click()")
    page.until("location.pathname.endsWith('/sample/6')")
    assert page.js("document.querySelectorAll('article').length") == 2

    page.press("?")
    assert page.js("document.querySelector('#help').open")
    page.press("Escape")
    page.until("!document.querySelector('#help').open")
    assert page.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(page: Any, address: str, scheme: str) -> None:
    """Contrast of at least 4.5 to 1 for text, as WCAG AA asks; every field has a name."""
    wish = [{"name": "prefers-color-scheme", "value": scheme}]
    page.do("Emulation.setEmulatedMedia", features=wish)
    page.open(f"{address}?run=far&order=error")
    low = """
    (() => {
      const channels = (text) => text.match(/[\\d.]+/g).map(Number);
      const part = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
      const ground = (e) => {
        for (; e; e = e.parentElement) {
          const c = channels(getComputedStyle(e).backgroundColor);
          if (c.length < 4 || c[3] === 1) return c;
        }
        return [255, 255, 255];
      };
      return [...document.querySelectorAll("h1, a, .name, .said, .chip, label, button, .quiet")]
        .filter((e) => {
          const [a, b] = [light(channels(getComputedStyle(e).color)), light(ground(e))];
          return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
        }).map((e) => e.outerHTML);
    })()
    """
    assert page.js(low) == []
    unnamed = "[...document.querySelectorAll('input:not([type=hidden]), select')]"
    assert page.js(f"{unnamed}.filter(e => !e.labels.length).length") == 0
    assert page.js("document.documentElement.scrollWidth <= innerWidth")
