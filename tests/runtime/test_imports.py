from pathlib import Path

import pytest

from ei.errors import ServiceError
from ei.runtime.imports import check_imports


def check(tmp_path: Path, source: str, *libraries: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    _ = (folder / "service.py").write_text(source)
    _ = (folder / "messages.py").write_text("import msgspec")
    check_imports(folder, libraries)


@pytest.mark.parametrize(
    "source",
    [
        "from ei.sdk import Service",
        "from .messages import Join",
        "from . import messages",
        "import ei.services.mine.messages",
        "from ei.services.mine import messages",
        "from ei.services.mine.messages import Join",
        "import hashlib, struct",
        "import msgspec",
        "from collections.abc import Iterable",
        "import h11",
    ],
)
def test_a_service_may_import_the_sdk_its_own_files_and_the_harmless_library(
    tmp_path: Path, source: str
) -> None:
    check(tmp_path, source, "h11")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import time", "imports time: the time comes in: ctx.now_s, ctx.unix_s"),
        ("import os.path", "imports os.path: a service has no files and no processes"),
        ("from socket import socket", "imports socket: packets leave by SendPacket"),
        ("import ei", "imports ei: of ei, a service imports ei.sdk and its own files"),
        ("from ei.runtime import Environment", "imports ei.runtime: of ei, a service imports"),
        ("from ei.services.other.service import X", "imports ei.services.other.service: of ei"),
        ("import numpy", r"imports numpy: declare it in manifest.toml: libraries = \['numpy'\]"),
        ("import messages", r"imports messages: write it relative: from .messages import"),
        ("from .. import other", "imports from outside: of its own files, all but client.py"),
        ("from .client import Client", "imports from outside: of its own files, all but client"),
        ("open('x')", r"calls open\(\): a service has no files"),
        ("eval('1')", r"calls eval\(\): code is not data"),
        ("print('x')", r"calls print\(\): count with Count"),
    ],
)
def test_what_reaches_past_event_and_context_is_refused_with_the_cure(
    tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(ServiceError, match=rf"mine/service\.py:3: {said}"):
        check(tmp_path, f"import msgspec\n\n{line}\n")


def test_declaring_the_standard_library_does_not_open_it(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"imports subprocess: a service starts no programs"):
        check(tmp_path, "import subprocess", "os", "subprocess")


def test_it_sees_imports_wherever_they_are(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"service\.py:2: imports random_thing"):
        check(tmp_path, "def late():\n    import random_thing\n")


def test_a_file_that_is_no_python_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"service\.py:1: no Python: "):
        check(tmp_path, "def (:")


def test_tests_and_the_client_are_not_the_service(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("client.py", "client_parts.py", "test_service.py"):
        _ = (tmp_path / "mine" / name).write_text("import asyncio, pytest")

    check_imports(tmp_path / "mine", ())
