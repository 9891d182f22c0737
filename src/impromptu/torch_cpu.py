"""Lets torchvision and torchaudio be imported beside a torch without CUDA.

Their wheels on PyPI are linked to CUDA. Beside a CPU torch their compiled parts cannot be loaded,
and then importing either fails, though Qwen2.5-VL's processor and LLaMA-Factory use only their
Python parts. `hook` mends that at import time, and only where loading has really failed;
``python -m impromptu.torch_cpu`` makes every process of the environment call it, so that
``llamafactory-cli`` and its children are covered too.
"""

import sys
import sysconfig
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

PTH_NAME = "impromptu_torch_cpu.pth"
PTH_LINE = (
    "import importlib.util as u; "
    "u.find_spec('impromptu') and __import__('impromptu.torch_cpu', fromlist=['hook']).hook()\n"
)

_libraries: list[Any] = []  # an operator lives only as long as the library that declares it


def _declare_operators(extension: ModuleType) -> None:
    """Declare the operators that torchvision's Python part names at import."""
    if extension._has_ops():
        return
    import torch

    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _libraries.append(library)


def _forgive_unloadable(loading: ModuleType) -> None:
    """Let a library that cannot be loaded count as one that is not there, as torchaudio does."""
    load: Callable[[str], bool] = loading._load_lib

    def load_if_possible(name: str) -> bool:
        try:
            return load(name)
        except OSError:
            return False

    loading._load_lib = load_if_possible  # type: ignore[attr-defined]  # a module's attribute


_AFTER_IMPORT: dict[str, Callable[[ModuleType], None]] = {
    "torchvision.extension": _declare_operators,
    "torchaudio._extension.utils": _forgive_unloadable,
}


class _Mending(Loader):
    """Runs a module, then mends it."""

    def __init__(self, loader: Loader, mend: Callable[[ModuleType], None]) -> None:
        self.loader, self.mend = loader, mend

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.mend(module)


class _Finder(MetaPathFinder):
    """Finds the modules of `_AFTER_IMPORT` where Python would, and nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        mend = _AFTER_IMPORT.get(fullname)
        spec = PathFinder.find_spec(fullname, path, target) if mend else None
        if mend and spec and spec.loader:
            spec.loader = _Mending(spec.loader, mend)
        return spec


def hook() -> None:
    """Watch for imports of torchvision and torchaudio; cheap, and safe to call again."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def install(site_packages: Path) -> Path:
    """Make every Python process of an environment call `hook` when it starts.

    Returns:
        The one-line file that does it; delete it to undo.
    """
    path = site_packages / PTH_NAME
    path.write_text(PTH_LINE, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.stdout.write(f"wrote {install(Path(sysconfig.get_path('purelib')))}\n")
