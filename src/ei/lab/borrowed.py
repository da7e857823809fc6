"""Programs of others that labs and benchmarks run: installed, or borrowed by `make` for tests."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import ei

BORROWED = Path(str(ei.__file__)).parents[2] / "build" / "tools"
"""Where `make` keeps programs that tests need, in a checkout."""
OF_ROOT = "/usr/sbin:/sbin"
"""Servers are there, which are not in everybody's PATH."""


def find_program(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the path of a program, if it is here."""
    path = os.pathsep.join([environ.get("PATH", os.defpath), OF_ROOT, str(BORROWED)])
    return shutil.which(name, path=path)
