"""Has the installed LLaMA-Factory parse the YAML, in a process of its own, beside other work."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import impromptu
from impromptu.audits import Finding, one_line

_PARSE = """
import json, sys
from impromptu import torch_cpu; torch_cpu.hook()
from llamafactory.hparams import get_train_args, read_args
try:
    get_train_args(read_args())
    told = ""
except Exception as error:
    told = f"{type(error).__name__}: {error}"
print("\\n" + json.dumps(told))
"""
_WITHOUT_GPU = ("deepspeed=null", "use_cpu=true")
_LONGEST_S = 300


class Parser:
    """LLaMA-Factory at work on a YAML.

    Args:
        path: The YAML; what needs a GPU in it is overridden, and nothing else.
        overrides: ``key=value`` each.
    """

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        self._process: subprocess.Popen[str] | None = None
        if path.suffix not in (".yaml", ".yml") or not find_spec("llamafactory"):
            return
        places = [str(Path(impromptu.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(  # noqa: S603 (our own interpreter)
            [sys.executable, "-c", _PARSE, str(path), *overrides, *_WITHOUT_GPU],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))},
        )

    def finding(self) -> Finding:
        """Wait for it and say what it said."""
        if self._process is None:
            text = (
                "LLaMA-Factory is not installed (or the file is no .yaml): its parser was not run, "
                "so keys it does not know were not looked for."
            )
            return Finding("warning", "parser_not_run", text)
        try:
            out, _ = self._process.communicate(timeout=_LONGEST_S)
            told = json.loads(out.splitlines()[-1])
        except (subprocess.TimeoutExpired, ValueError, IndexError):
            self.close()
            text = (
                "LLaMA-Factory's parser did not come to an end: try llamafactory-cli train itself."
            )
            return Finding("warning", "parser_not_run", text)
        if told:
            text = f"LLaMA-Factory refuses the YAML: {one_line(told, 400)}"
            return Finding("error", "refused", text)
        return Finding("note", "parsed", "LLaMA-Factory's own parser accepts every key.")

    def close(self) -> None:
        """End it, if it is still at work."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
