"""Every command of docs/annotate.md runs, in order, against the stand-in teacher."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from impromptu.files import read_json

PAGE = (Path(__file__).parents[2] / "docs/annotate.md").read_text(encoding="utf-8")
(BLOCK,) = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
_WAIT = 'for _ in $(seq 200); do grep -q "^model" told && break; sleep 0.2; done'


@pytest.mark.slow
def test_commands_run(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="needs the openai extra: openai")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    script = BLOCK.replace("8100", port).replace("impromptu ", f"{sys.executable} -m impromptu ")
    # The server's own line tells that it listens, where a person would see it.
    lines = [
        f"{line[:-1]} > told &\n{_WAIT}" if line.endswith("&") else line
        for line in script.splitlines()
    ]
    lines = [f"{line}; echo code $?" if " annotate " in line else line for line in lines]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        ["bash", "-m", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert re.findall(r"^code (\d)$", done.stdout, re.MULTILINE)[:2] == ["1", "0"], done.stderr
    assert done.stdout.splitlines()[0].startswith("build/miniature/kitti")
    assert "428 samples; without an answer: " in done.stdout
    assert "456 samples; without an answer: none" in done.stdout
    told = read_json(tmp_path / "build/annotated/annotation/thrice/agreement.json")
    for figures in told["itself"].values():
        for name, value in figures.items():
            if name != "pairs":
                assert f"{name} {value:.2f}" in " ".join(PAGE.split()), (name, value)
