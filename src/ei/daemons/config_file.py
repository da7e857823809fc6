"""Reads TOML configuration: typed, versioned; an unknown key is refused with a suggestion."""

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import TypeVar, Union, cast, get_args, get_origin

import msgspec

from ei.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)
MAX_FILE_BYTES = 1024 * 1024


def read_config(path: Path, kind: type[ConfigT]) -> ConfigT:
    """Read a configuration file of one Struct type.

    Raises:
        ConfigError: unreadable, not TOML, an unknown key, or a value that is not allowed: which,
            where, and what is.
    """
    table = read_table(path)
    try:
        return convert_table(table, kind)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_table(path: Path) -> dict[str, object]:
    """Read a configuration file, of whatever kind.

    Raises:
        ConfigError: unreadable, or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(f"{path} is larger than the allowed {MAX_FILE_BYTES} B")
        text = content.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8: {error}") from error
    try:
        return _parse_table(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(text: str, kind: type[ConfigT]) -> ConfigT:
    """Parse the text of a configuration file; see `read_config`."""
    return convert_table(_parse_table(text), kind)


def _parse_table(text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError("not TOML of ours: tables or arrays are nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError is one; absurdly long numbers raise another
        raise ConfigError(f"not TOML: {error}") from error


def convert_table(table: Mapping[str, object], kind: type[ConfigT], *, where: str = "") -> ConfigT:
    """Return a table of a configuration file as a Struct.

    Args:
        where: Its name in the file, such as `config.delivery`; the file itself has none.

    Raises:
        ConfigError: an unknown key, or a value that is not allowed; see `read_config`.
    """
    _check_keys(table, kind, where=where)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ConfigError(_in_toml_words(str(error), kind, where)) from error


def suggestion(word: str, known: list[str]) -> str:
    """Return how a sentence about a wrong `word` ends: the near miss, or all that is allowed."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(known) or 'none'}"


def toml_string(value: str) -> str:
    """Return `value` as a TOML basic string."""
    escaped = "".join(
        f"\\U{ord(letter):08x}" if letter in '"\\' or not letter.isprintable() else letter
        for letter in value
    )
    return f'"{escaped}"'


def _check_keys(table: Mapping[str, object], kind: type[msgspec.Struct], *, where: str) -> None:
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key not in known:
            place = f"in [{where}] " if where else ""
            raise ConfigError(f"no key {key!r} {place}is known{suggestion(key, list(known))}")
        inner = _struct_in(known[key])
        if inner is not None and isinstance(value, dict):
            path = f"{where}.{key}" if where else key
            _check_keys(cast("Mapping[str, object]", value), inner, where=path)


def _struct_in(annotation: object) -> type[msgspec.Struct] | None:
    """Return the Struct that a field holds, if it holds one."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    if get_origin(annotation) in {Union, UnionType}:
        found = [_struct_in(part) for part in get_args(annotation)]
        return next((part for part in found if part is not None), None)
    return None


def _in_toml_words(message: str, kind: type[msgspec.Struct], where: str) -> str:
    """Return a message of msgspec, which speaks of `$.a.b`, in words for people."""
    text, _, place = message.partition(" - at ")
    path = place.strip("`").removeprefix("$").removeprefix(".")
    if missing := MISSING.fullmatch(text):
        return f"`{_joined(where, path, missing[1])}` is missing"
    if wrong := UNKNOWN.fullmatch(text):
        allowed = ", ".join(map(repr, _choices(kind, path.split("."))))
        return f"`{_joined(where, path)}` cannot be {wrong[1]}; allowed: {allowed}"
    return f"{text} - at `{_joined(where, path)}`" if path or where else text


MISSING = re.compile(r"Object missing required field `(.+)`")
UNKNOWN = re.compile(r"Invalid enum value (.+)")


def _joined(*names: str) -> str:
    return ".".join(filter(None, names))


def _choices(kind: type[msgspec.Struct], path: list[str]) -> tuple[object, ...]:
    """Return the values that the field at `path` can have."""
    first, *rest = path
    types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    annotation = types.get(first)
    inner = _struct_in(annotation)
    return _choices(inner, rest) if inner is not None and rest else get_args(annotation)
