"""Stands in for sglang's compiled kernels, of which there is no build for a CPU on PyPI.

sglang imports names from it that the settings of our tests never call: PyTorch does the work.
"""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

__version__ = "0.4.9"


class _EveryName(type):
    def __getattr__(cls, name: str) -> Any:
        return _get(name)


class _Refuses(metaclass=_EveryName):
    """A class or function, whichever is wanted, that has every name and cannot be called."""

    def __new__(cls, *_: object, **__: object) -> "_Refuses":
        raise NotImplementedError("a stub of sglang's kernels was called")


def _get(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return _Refuses


class _Stubs(MetaPathFinder, Loader):
    """Finds every module of the package, and has every name in it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        ours = fullname.startswith(f"{__name__}.")
        return ModuleSpec(fullname, self, is_package=True) if ours else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name)
        module.__getattr__ = _get  # type: ignore[method-assign]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


class _Operators(_Stubs):
    """Stands for ``torch.ops.sgl_kernel``: has what is taken from it unasked, nothing else."""

    def __getattr__(self, name: str) -> Any:
        if not name.endswith("_cpu"):
            raise AttributeError(name)
        return _get(name)


sys.meta_path.append(_Stubs())
torch.ops.sgl_kernel = _Operators()
__getattr__ = _get
