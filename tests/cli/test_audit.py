import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from impromptu.cli import main

EVIL = "<script>alert('\"x&')</script>"


def sample(name: str, answer: str = "KEEP,STRAIGHT", **more: Any) -> dict[str, Any]:
    prompt = {"role": "user", "content": "What should it do?"}
    return {"id": name, "messages": [prompt, {"role": "assistant", "content": answer}]} | more


def write(path: Path, samples: list[Any]) -> Path:
    path.write_text(json.dumps(samples))
    return path


@pytest.mark.parametrize(
    ("samples", "code"),
    [
        ([sample("a"), sample("b", "STOP,STRAIGHT")], 2),  # asked the same, answered otherwise
        ([sample("a")], 0),
        ([sample("a"), sample("b")], 1),  # the same twice
        ([sample("a", "CRUISE,STRAIGHT")], 2),
        ([], 2),
        ([None], 2),
    ],
)
def test_exit_code_is_the_gravest_severity(
    samples: list[Any], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "q6.json", samples)
    assert main(["audit", str(path)]) == code
    out = capsys.readouterr().out
    assert out.splitlines()[-1].startswith(f"{len(samples)} records in 1 files: ")


def test_json_and_html_say_the_same(tmp_path: Path) -> None:
    path = write(tmp_path / "q6.json", [sample("a", EVIL), sample(EVIL, "\ud800")])
    told, page = tmp_path / "out/a.json", tmp_path / "out/a.html"
    assert main(["audit", str(path), "--json", str(told), "--html", str(page)]) == 2
    result = json.loads(told.read_text(encoding="utf-8"))
    assert result["exit_code"] == 2
    assert result["records"] == 2
    names = [f["name"] for findings in result["audits"].values() for f in findings]
    assert "unreadable_q6" in names and "no_utf8" in names
    text = page.read_text(encoding="utf-8")
    assert EVIL not in text and "<script" not in text
    assert "&lt;script&gt;" in text
    assert all(name in text for name in names)
    assert "http" not in text  # nothing is fetched
    assert _unclosed(text) == []


def _unclosed(page: str) -> list[str]:
    opened: list[str] = []

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag != "meta":
                opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

    Page().feed(page)
    return opened


def test_only_and_skip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "q6.json", [sample("a", "CRUISE,STRAIGHT")])
    assert main(["audit", str(path), "--only", "duplicates", "splits"]) == 0
    assert main(["audit", str(path), "--skip", "vocabulary", "balance"]) == 0
    assert main(["audit", str(path), "--only", "text", "--skip", "text"]) == 3
    assert "no audit is left" in capsys.readouterr().err


def test_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(tmp_path / "gone.json")]) == 3
    assert "no such file or folder" in capsys.readouterr().err
    path = write(tmp_path / "q6.json", [sample("a")])
    assert main(["audit", str(path), "--media_dir", str(path)]) == 3
    assert "no such folder; --media_dir" in capsys.readouterr().err


def test_not_audited_is_told_from_errors_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["audit", "--onyl", "text"])
    assert ended.value.code == 3
    with pytest.raises(SystemExit) as ended:
        main(["audit", "--help"])
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "exit codes: 0 nothing wrong, 1 warnings, 2 errors such as a leak, 3 not audited" in told


def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "q6.json", [sample("a")])
    for place in (tmp_path, path / "page.html"):
        assert main(["audit", str(path), "--html", str(place)]) == 3
        told = capsys.readouterr()
        assert told.out == "" and str(path if place != tmp_path else tmp_path) in told.err


@pytest.mark.parametrize("text", ["", "[]", " \n"])
def test_an_empty_file_is_named(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "q6.json", [sample("a")])
    (tmp_path / "empty.json").write_text(text)
    assert main(["audit", str(tmp_path / "empty.json")]) == 2
    assert "1 files hold no record, the first is empty.json" in capsys.readouterr().out
    assert main(["audit", str(tmp_path)]) == 1
    assert "the first is empty.json" in capsys.readouterr().out


def test_same_findings_in_every_process(tmp_path: Path) -> None:
    """Keys are salted differently in each; what is found is not."""
    rows = [sample(f"d/l{n % 3}/{n}/q6", images=[f"{n % 4}.png"]) for n in range(50)]
    path = write(tmp_path / "q6.json", rows)
    told = []
    for seed in ("1", "2"):
        out = tmp_path / f"{seed}.json"
        code = "import sys; from impromptu.cli import main; main(sys.argv[1:])"
        command = [sys.executable, "-c", code, "audit", str(path), "--json", str(out)]
        subprocess.run(command, check=True, capture_output=True, env=_environment(seed))
        told.append(out.read_bytes())
    assert told[0] == told[1]


def _environment(seed: str) -> dict[str, str]:
    return os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
