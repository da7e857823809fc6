"""What every test run shares: how many examples the property tests try, and a compiler of C."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

import ei

# `ci` is hypothesis's own: the same examples each time. The nightly run looks further.
settings.register_profile("nightly", max_examples=5_000, deadline=None)

HEADER = Path(str(ei.__file__)).parent / "templates" / "wasm"
"""The folder of `ei.h`, and of the Makefile that says how modules are compiled."""


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a module in C to a folder of the same name, and compile it there."""

    def compile_module(folder: Path) -> Path:
        if shutil.which("clang") is None or shutil.which("wasm-ld") is None:
            pytest.skip("clang and lld are not here; .ci/ground test installs them")
        copy = tmp_path / folder.name
        _ = shutil.copytree(folder, copy)
        (copy / "module.wasm").unlink()
        for name in ("Makefile", "ei.h"):
            _ = shutil.copy(HEADER / name, copy)
        made = subprocess.run(
            ["make", "--silent"], cwd=copy, capture_output=True, text=True, check=False
        )
        if made.returncode:
            pytest.fail(made.stderr)
        return copy

    return compile_module
