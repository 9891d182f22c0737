import subprocess
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

from impromptu import torch_cpu

needs_torch = pytest.mark.skipif(
    not all(map(find_spec, ("torch", "torchvision", "torchaudio"))),
    reason="needs the train extra: torch, torchvision, torchaudio",
)


@pytest.fixture(scope="module")
def hooked_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    site_packages = tmp_path_factory.mktemp("site")
    assert torch_cpu.install(site_packages).name == torch_cpu.PTH_NAME
    return site_packages


def _python(code: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True)


@needs_torch
def test_a_process_of_the_environment_can_import_both(hooked_site: Path) -> None:
    code = f"""
import site, sys
site.addsitedir({str(hooked_site)!r})
assert any(type(f).__name__ == "_Finder" for f in sys.meta_path)
assert "torch" not in sys.modules, "the hook must cost nothing until it is needed"
import torchvision, torchaudio
from torchvision.transforms.v2 import functional
import torch
print(functional.resize(torch.zeros(1, 8, 8), [4, 4]).shape)
"""
    done = _python(code)
    assert done.returncode == 0, done.stderr
    assert "torch.Size([1, 4, 4])" in done.stdout


@needs_torch
def test_nothing_is_mended_where_nothing_is_broken() -> None:
    code = """
from types import SimpleNamespace
from impromptu import torch_cpu
torch_cpu._declare_operators(SimpleNamespace(_has_ops=lambda: True))
assert not torch_cpu._libraries
"""
    done = _python(code)
    assert done.returncode == 0, done.stderr


def test_the_line_is_harmless_where_the_package_is_gone(hooked_site: Path) -> None:
    code = f"import site; site.addsitedir({str(hooked_site)!r}); print('alive')"
    done = _python(code, "-S")
    assert (done.stdout, done.stderr) == ("alive\n", "")


def test_a_library_that_cannot_be_loaded_counts_as_absent() -> None:
    def load(name: str) -> bool:
        if name == "linked_to_cuda":
            raise OSError("libcudart.so: cannot open shared object file")
        return name == "good"

    loading = ModuleType("torchaudio._extension.utils")
    loading._load_lib = load  # type: ignore[attr-defined]
    torch_cpu._forgive_unloadable(loading)
    names = "good", "absent", "linked_to_cuda"
    assert [loading._load_lib(name) for name in names] == [True, False, False]


def test_other_modules_are_left_to_python(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = torch_cpu._Finder()
    assert finder.find_spec("json", None) is None
    monkeypatch.setattr(PathFinder, "find_spec", lambda *_: None)
    assert finder.find_spec("torchvision.extension", []) is None


def test_hooking_twice_is_hooking_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [])
    torch_cpu.hook()
    torch_cpu.hook()
    assert len(sys.meta_path) == 1


def test_a_module_is_run_before_it_is_mended(tmp_path: Path) -> None:
    (tmp_path / "sick.py").write_text("fever = 39.5\n")
    found = PathFinder.find_spec("sick", [str(tmp_path)])
    assert isinstance(found, ModuleSpec) and found.loader
    module = ModuleType("sick")
    module.__spec__ = found
    mending = torch_cpu._Mending(found.loader, lambda m: setattr(m, "fever", m.fever - 3))
    mending.exec_module(module)
    assert module.fever == 36.5
