"""Clicks and types through the explorer in a real browser, over its own debugging protocol."""

import itertools
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

WAIT_S = 20.0


class Page:
    """One tab."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.numbers, self.events = socket, itertools.count(1), list[Any]()
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **params: Any) -> Any:
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(timeout=WAIT_S))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def js(self, expression: str) -> Any:
        result = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait for an expression to be true."""
        end_s = time.monotonic() + WAIT_S
        while not (value := self.js(f"document.readyState == 'complete' && ({expression})")):
            assert time.monotonic() < end_s, f"{expression} at {self.js('location.href')}"
            time.sleep(0.05)
        return value

    def open(self, address: str) -> None:
        self.do("Page.navigate", url=address)
        self.until(f"location.href == {json.dumps(address)}")

    def press(self, key: str) -> None:
        code = {"Enter": 13, "Escape": 27}.get(key, 0)
        text = {"Enter": "\r", "Escape": ""}.get(key, key)
        common = {"key": key, "windowsVirtualKeyCode": code}
        self.do("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.do("Input.dispatchKeyEvent", type="keyUp", **common)

    def complaints(self) -> list[Any]:
        """Return what the console was told: errors, and what the page's policy forbade."""
        self.js("1")
        told = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")
        return [event for event in self.events if event["method"] in told]


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    client = pytest.importorskip("websockets.sync.client", reason="needs the package websockets")
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chrome"))), None)
    if chromium is None:
        pytest.skip("needs a browser: chromium or google-chrome on the PATH")
    command = [chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={tmp_path / 'profile'}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as browser:
        try:
            found = (re.search(r"ws://([^/]+)/", line) for line in browser.stderr or ())
            place = next(match[1] for match in found if match)
            with urlopen(f"http://{place}/json") as tabs:  # noqa: S310 - the browser itself
                tab = next(one for one in json.load(tabs) if one["type"] == "page")
            with client.connect(tab["webSocketDebuggerUrl"], max_size=None) as socket:
                yield Page(socket)
        finally:
            browser.kill()


def test_the_pages_by_key_and_by_click(page: Page, address: str) -> None:
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
def test_text_can_be_read_in_both_schemes(page: Page, address: str, scheme: str) -> None:
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
