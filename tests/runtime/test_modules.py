import sys
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from ei.runtime.modules import preload, read_sources, run


def module(tmp_path: Path, text: str, *, is_limited: bool = True, **files: str) -> ModuleType:
    folder = tmp_path / "mine"
    sources = {"service": text, **files}
    package = f"ei_service_test_{tmp_path.name}"
    return run(sources, folder, package, (), is_limited=is_limited)


def test_files_run_from_memory_and_import_each_other(tmp_path: Path) -> None:
    made = module(tmp_path, "from .parts import SIZE\nfrom . import parts", parts="SIZE = 3")

    assert made.SIZE == made.parts.SIZE == 3
    assert made.__file__ == str(tmp_path / "mine" / "service.py")


def test_a_handler_may_import_as_late_as_it_likes(tmp_path: Path) -> None:
    made = module(
        tmp_path, "def late():\n    from .parts import SIZE\n    return SIZE", parts="SIZE=3"
    )

    assert made.late() == 3


@pytest.mark.parametrize("name", ["open", "eval", "exec", "compile", "input", "print"])
def test_what_reaches_past_event_and_context_has_no_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameError, match=name):
        _ = module(tmp_path, f"reached = {name}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("globals()['__builtins__']['__import__']('os')", "imports os: a service has no files"),
        ("from ..other import x", "imports other: it is outside of its own files"),
        ("import subprocess", "imports subprocess: a service starts no programs"),
    ],
)
def test_an_import_is_refused_whatever_words_hide_it(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ImportError, match=said):
        _ = module(tmp_path, line)


def test_without_the_limit_all_names_are_there(tmp_path: Path) -> None:
    assert module(tmp_path, "import os\nreached = open", is_limited=False).reached is open


def test_what_runs_on_hosts_and_tests_are_not_read(tmp_path: Path) -> None:
    for name in ("service", "parts", "client", "client_more", "test_service"):
        _ = (tmp_path / f"{name}.py").write_text(name)

    assert read_sources(tmp_path) == {"parts": "parts", "service": "service"}


def test_what_files_will_import_is_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "graphlib", raising=False)
    monkeypatch.delitem(sys.modules, "pty", raising=False)

    preload({"service": "def later():\n    import graphlib, pty, nowhere"}, "mine", ())

    assert "graphlib" in sys.modules
    assert "pty" not in sys.modules


def test_what_a_library_does_while_imported_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    library = tmp_path / "ei_test_ending"
    library.mkdir()
    for name, text in (("__init__", ""), ("ends", "raise SystemExit(3)"), ("fails", "1 / 0")):
        _ = (library / f"{name}.py").write_text(text)
    _ = (library / "__main__.py").write_text("raise KeyboardInterrupt")

    text = "import ei_test_ending.ends, ei_test_ending.fails\nfrom ei_test_ending import __main__"
    preload({"service": text}, "mine", ("ei_test_ending",))

    assert sys.modules.pop("ei_test_ending", None) is not None


def test_classes_of_all_usual_kinds_are_made_under_the_limit(tmp_path: Path) -> None:
    made = module(
        tmp_path,
        """
from collections import namedtuple
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, NamedTuple
import msgspec

Pair = namedtuple("Pair", "a b")

class Named(NamedTuple):
    a: int

@dataclass(frozen=True, slots=True)
class Point:
    x: "int" = 3

class Kind(IntEnum):
    ONE = 1

class Message(msgspec.Struct, frozen=True, tag="m"):
    kind: Kind
    numbers: "Annotated[tuple[int, ...], msgspec.Meta(max_length=2)]" = ()
""",
    )

    decoded = msgspec.json.decode(b'{"type":"m","kind":1,"numbers":[2]}', type=made.Message)
    assert (decoded.numbers, made.Point().x, made.Pair(1, 2).b) == ((2,), 3, 2)
