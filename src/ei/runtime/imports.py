"""What the files of a service may import and call, checked before any of them runs.

A service is a function of event and context (law 1). This check is for honest authors: it says
early, with the cure, what would break that. It is no wall against hostile ones; the process is.
"""

import ast
import sys
from collections.abc import Collection
from pathlib import Path

from ei.errors import LoadError

_OURS = "ei.sdk"
_NATIVE = "ei.sdk.hpke"
"""Beside it: whoever imports `ei.sdk` alone takes no native code along."""

_CURES = {
    "asyncio": "handlers do not wait: they return effects",
    "ctypes": "a service is Python alone; ask for a native stage",
    "datetime": "the time comes in: ctx.now_s, ctx.unix_s",
    "importlib": "import by name, at the top",
    "io": "a service has no files: ctx.stable and ctx.ephemeral",
    "multiprocessing": "the environment runs the workers",
    "os": "a service has no files and no processes: ctx.stable, ctx.ephemeral",
    "pathlib": "a service has no files: ctx.stable and ctx.ephemeral",
    "secrets": "randomness comes in: ctx.random",
    "select": "handlers do not wait: they return effects",
    "selectors": "handlers do not wait: they return effects",
    "shutil": "a service has no files: ctx.stable and ctx.ephemeral",
    "signal": "the environment sets the limits",
    "socket": "packets leave by SendPacket, messages by SendControl",
    "sqlite3": "ctx.stable is the database",
    "subprocess": "a service starts no programs",
    "sys": "a service sees event and context, nothing else",
    "tempfile": "a service has no files: ctx.stable and ctx.ephemeral",
    "threading": "one event is handled at a time",
    "time": "the time comes in: ctx.now_s, ctx.unix_s",
    "urllib": "a service opens no connections",
    "uuid": "randomness comes in: ctx.random",
}
"""Parts of the standard library that reach past event and context, and what to use instead."""

PURE = frozenset({
    "__future__", "abc", "array", "base64", "binascii", "bisect", "calendar", "cmath",
    "collections", "colorsys", "contextlib", "copy", "dataclasses", "decimal", "difflib", "email",
    "enum", "fractions", "functools", "graphlib", "hashlib", "heapq", "hmac", "html", "ipaddress",
    "itertools", "json", "keyword", "math", "numbers", "operator", "random", "re", "reprlib",
    "statistics", "string", "stringprep", "struct", "textwrap", "types", "typing", "unicodedata",
    "warnings", "zlib",
})  # fmt: skip
"""Parts of the standard library that only compute."""

_CALLS = {
    "__import__": _CURES["importlib"],
    "eval": "code is not data",
    "exec": "code is not data",
    "input": "a service sees event and context, nothing else",
    "open": _CURES["io"],
    "print": "count with Count, or drop with a reason; a service has no terminal",
}


def check_imports(folder: Path, libraries: tuple[str, ...]) -> None:
    """Read the service's own files: all but tests and what runs on hosts.

    Args:
        folder: Of the service.
        libraries: Third-party packages that the manifest declares.

    Raises:
        LoadError: A file does not parse, or imports or calls what it may not; names file,
            line, what was seen, and what to use instead.
    """
    own = {path.stem for path in folder.glob("*.py")}
    for path in sorted(folder.glob("*.py")):
        if is_for_hosts(path.stem) or path.name.startswith("test_"):
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        except SyntaxError as error:
            raise LoadError(f"{path}:{error.lineno or 1}: no Python: {error.msg}") from error
        except ValueError as error:
            raise LoadError(f"{path}: {error}") from error
        for node in ast.walk(tree):
            complaint = _complaint(node, folder.name, own, libraries)
            if complaint is not None:
                raise LoadError(f"{path}:{getattr(node, 'lineno', 0)}: {complaint}")


def is_for_hosts(module: str) -> bool:
    """Whether a file of a service runs on hosts: `client`, and its parts `client_...`."""
    return module == "client" or module.startswith("client_")


def _complaint(node: ast.AST, name: str, own: set[str], libraries: tuple[str, ...]) -> str | None:
    """Return what is wrong with one piece of code, `None` when nothing is."""
    match node:
        case ast.Import(names=names):
            modules = [alias.name for alias in names]
        case ast.ImportFrom(level=0, module=str(module)):
            modules = [module]
        case ast.ImportFrom(level=level, module=module) if level > 1 or is_for_hosts(module or ""):
            return "imports from outside: of its own files, all but client.py"
        case ast.Call(func=ast.Name(id=called)) if called in _CALLS:
            return f"calls {called}(): {_CALLS[called]}"
        case _:
            return None
    for module in modules:
        cure = refusal(module, name, own, libraries)
        if cure is not None:
            return f"imports {module}: {cure}"
    return None


def refusal(module: str, name: str, own: Collection[str], libraries: tuple[str, ...]) -> str | None:
    """Return why a service may not import a module, `None` when it may.

    Args:
        module: In full: `collections.abc`.
        name: Of the service.
        own: Names of its own files, without their ending.
        libraries: Third-party packages that its manifest declares.
    """
    top = module.partition(".")[0]
    if top == "ei":
        if module in {_OURS, _NATIVE} or f"{module}.".startswith(f"ei.services.{name}."):
            return None
        return f"of ei, a service imports {_OURS} and its own files alone"
    declared = {"msgspec", *libraries} - sys.stdlib_module_names
    if top in PURE or top in declared:
        return None
    if top in sys.stdlib_module_names:
        return _CURES.get(top, "of the standard library, a service imports what only computes")
    if top in own:
        return f"write it relative: from .{top} import ..."
    return f"declare it in manifest.toml: libraries = [{top!r}]"
