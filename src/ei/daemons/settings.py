"""What a configuration file comes to: each key with its value, and where that comes from. Pure."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from ei.daemons.config_file import toml_string

Path = tuple[str, ...]
Table = Mapping[str, object]

KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
ASSIGNMENT = re.compile(rf"\s*({KEY}(?:\s*\.\s*{KEY})*)\s*=")
HEADER = re.compile(r"\s*\[\[?(.+?)\]\]?\s*(?:#.*)?")
BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """One key.

    Attributes:
        path: Names of its tables and its own.
        value: `None` where nothing is set, which TOML cannot say.
        origin: Such as `default`, or `line 12` of the file.
    """

    path: Path
    value: object
    origin: str

    @property
    def key(self) -> str:
        """As a dotted key of TOML."""
        return ".".join(name if BARE.fullmatch(name) else toml_string(name) for name in self.path)

    def __str__(self) -> str:
        if self.value is None:
            return f"# {self.key} is not set"
        return f"{self.key} = {toml_value(self.value)}"


def settings_of(text: str, others: Mapping[str, Table]) -> list[Setting]:
    """Return all keys that a file sets, then those that it leaves to `others`.

    Args:
        text: TOML.
        others: What counts where the file is silent, by its origin; the first that has a key wins.
    """
    tables: Table = tomllib.loads(text)
    lines = _lines_of(text)
    found = {
        path: Setting(path, value, f"line {_line_of(path, lines)}") for path, value in _flat(tables)
    }
    for origin, table in others.items():
        # An empty table can be filled; any other value stands for all that is below it.
        given = {path for path, setting in found.items() if setting.value != {}}
        for path, value in _flat(table):
            if not any(path[:length] in given for length in range(1, len(path) + 1)):
                found[path] = Setting(path, value, origin)
    filled = {path[:length] for path in found for length in range(1, len(path))}
    return [setting for path, setting in found.items() if path not in filled]


def defaults_of(kind: type[msgspec.Struct]) -> dict[str, object]:
    """Return the defaults of a configuration, by key."""
    return {
        field.encode_name: msgspec.to_builtins(
            field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
        )
        for field in msgspec.structs.fields(kind)
        if not field.required
    }


def toml_value(value: object) -> str:
    """Return a value that came from TOML as TOML, on one line."""
    match value:
        case str():
            return toml_string(value)
        case bool():
            return str(value).lower()
        case list() | tuple():
            items = cast("list[object]", value)
            return f"[{', '.join(map(toml_value, items))}]"
        case dict():
            rows = cast("dict[str, object]", value).items()
            inner = ", ".join(str(Setting((name,), each, "")) for name, each in rows)
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            return str(value)


def _flat(table: Table, above: Path = ()) -> Iterator[tuple[Path, object]]:
    for name, value in table.items():
        path = (*above, name)
        if isinstance(value, dict) and value:
            yield from _flat(cast("Table", value), path)
        else:
            yield path, value


def _lines_of(text: str) -> dict[Path, int]:
    """Return the line of each key and header. Of what only looks like one, nobody asks."""
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if assigned := ASSIGNMENT.match(line):
            _ = lines.setdefault((*table, *_names(assigned[1])), number)
        elif header := HEADER.fullmatch(line):
            table = _names(header[1])
            _ = lines.setdefault(table, number)
    return lines


def _names(dotted: str) -> Path:
    try:
        found: object = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return ()  # the text of a longer value
    names: list[str] = []
    while isinstance(found, dict):
        ((name, found),) = cast("dict[str, object]", found).items()
        names.append(name)
    return tuple(names)


def _line_of(path: Path, lines: Mapping[Path, int]) -> int:
    lengths = range(len(path), 0, -1)
    return next((lines[path[:length]] for length in lengths if path[:length] in lines), 1)
