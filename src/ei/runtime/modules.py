"""Runs a stranger's module from memory: read while files can be, run when none can be any more.

What it may name is limited too, on the way: it has no `open` and no `eval`, and imports what
`ei.runtime.imports` allows, whatever words it hides that behind. That is soft: Python lets who
knows it well get from any object to any other. It is there for the message, and as a first wall.
"""

import ast
import builtins
import importlib
import importlib.abc
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType

from ei.runtime.imports import is_for_hosts, refusal

HIDDEN = frozenset({
    "__import__", "breakpoint", "compile", "copyright", "credits", "eval", "exec", "exit", "help",
    "input", "license", "open", "print", "quit",
})  # fmt: skip
"""Builtins that no module has; `__import__` is one of our own."""

Sources = Mapping[str, str]
"""A service's own files: name without ending to text."""


def read_sources(folder: Path) -> Sources:
    """Read the files of a service: all but tests and what runs on hosts.

    Raises:
        OSError: One cannot be read.
        ValueError: One is no text.
    """
    return {
        path.stem: path.read_text(encoding="utf-8")
        for path in sorted(folder.glob("*.py"))
        if not is_for_hosts(path.stem) and not path.name.startswith("test_")
    }


def preload(sources: Sources, name: str, libraries: tuple[str, ...]) -> None:
    """Import all that these files will import of others: later there are no files.

    This runs code of the libraries that the manifest declares, so it is for a worker alone. What
    fails or wants to end the process does so again where the files themselves import it.
    """
    for module in _imported(sources):
        if "__main__" in module.split("."):  # a program, which would run
            continue
        if refusal(module, name, sources, libraries) is None:
            with suppress(
                Exception, SystemExit
            ):  # its own file, a name in a module, or it is broken
                _ = importlib.import_module(module)


def run(
    sources: Sources, folder: Path, package: str, libraries: tuple[str, ...], *, is_limited: bool
) -> ModuleType:
    """Import `service` of a service's files; return that module.

    Args:
        sources: Its files.
        folder: Where they are from: what tracebacks name.
        package: To be a package of that name.
        libraries: Third-party packages that it may import.
        is_limited: Whether its names are.
    """
    names = _names(folder.name, sources, libraries) if is_limited else None
    for finder in [each for each in sys.meta_path if isinstance(each, _Finder)]:
        if finder.package == package:
            sys.meta_path.remove(finder)
    # It stays: a handler may import as well.
    sys.meta_path.insert(0, _Finder(sources, folder, package, names))
    return importlib.import_module(f"{package}.service")


def _imported(sources: Sources) -> Iterator[str]:
    for text in sources.values():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _names(name: str, sources: Sources, libraries: tuple[str, ...]) -> dict[str, object]:
    """Return the builtins of a module."""

    def imported(
        module: str,
        given: Mapping[str, object] | None = None,
        local: Mapping[str, object] | None = None,
        wanted: Sequence[str] = (),
        level: int = 0,
    ) -> ModuleType:
        cure = refusal(module, name, sources, libraries) if not level else None
        if level > 1:
            cure = "it is outside of its own files"
        if cure is not None:
            raise ImportError(f"imports {module}: {cure}")
        return builtins.__import__(module, given, local, wanted, level)

    names = {key: each for key, each in vars(builtins).items() if key not in HIDDEN}
    return {**names, "__import__": imported}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of one package among texts in memory."""

    def __init__(
        self, sources: Sources, folder: Path, package: str, names: dict[str, object] | None
    ) -> None:
        self._sources = sources
        self._folder = folder
        self.package = package
        self._names = names

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if fullname == self.package:
            return ModuleSpec(fullname, self, is_package=True)
        if package != self.package or name not in self._sources:
            return None
        return ModuleSpec(fullname, self, origin=str(self._folder / f"{name}.py"))

    def exec_module(self, module: ModuleType) -> None:
        _, _, name = module.__name__.rpartition(".")
        if module.__name__ == self.package:
            name = "__init__"
        if self._names is not None:
            vars(module)["__builtins__"] = self._names
        place = str(self._folder / f"{name}.py")
        module.__file__ = place
        text = self._sources.get(name, "")
        exec(_compiled(text, place), vars(module))  # noqa: S102 its task


@lru_cache(maxsize=256)
def _compiled(text: str, place: str) -> CodeType:
    """Compile a file, once for all the instances that are made of it."""
    return compile(text, place, "exec", dont_inherit=True)
