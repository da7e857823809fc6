"""Tables of TOML as Structs: unknown keys get a suggestion, wrong values are named by their place.

Pure; of configuration files, and of what a service says in its manifest.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from types import UnionType
from typing import TypeVar, Union, cast, get_args, get_origin

import msgspec

from ei.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)


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
