"""Changes rows of a table in the text of a TOML file, and leaves all else as it is. Pure.

Comments, order and blank lines are whose file it is; a library that writes TOML anew loses them.
"""

import re
import tomllib
from collections.abc import Mapping
from typing import cast

from ei.daemons.config_file import toml_string
from ei.errors import ConfigError

BARE = re.compile(r"[A-Za-z0-9_-]+")


def with_row(text: str, table: str, key: str, value: str) -> str:
    """Return the text with a string at `key` of `table`: in the place of another, or new.

    Raises:
        ConfigError: the table is written in a form that is not changed here.
    """
    row = f"{_key(key)} = {toml_string(value)}"
    lines = text.splitlines()
    start = _header(lines, table)
    if start is None:
        changed = [*lines, *([""] if lines and lines[-1].strip() else []), f"[{table}]", row]
    elif (at := _row(lines, start, key)) is not None:
        changed = [*lines[:at], row, *lines[at + 1 :]]
    else:
        changed = [*lines[: start + 1], row, *lines[start + 1 :]]
    return _checked("\n".join(changed) + "\n", table, key, value)


def without_row(text: str, table: str, key: str) -> str:
    """Return the text without `key` in `table`; a table that is left empty stays.

    Raises:
        ConfigError: the row is written in a form that is not changed here.
    """
    lines = text.splitlines()
    start = _header(lines, table)
    at = None if start is None else _row(lines, start, key)
    if at is not None:
        lines = [*lines[:at], *lines[at + 1 :]]
    return _checked("\n".join(lines) + "\n", table, key, None)


def _header(lines: list[str], table: str) -> int | None:
    wanted = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    return next((at for at, line in enumerate(lines) if wanted.fullmatch(line)), None)


def _row(lines: list[str], start: int, key: str) -> int | None:
    quoted = "|".join(map(re.escape, {key, f'"{key}"', f"'{key}'"}))
    wanted = re.compile(rf"\s*(?:{quoted})\s*=.*")
    for at in range(start + 1, len(lines)):
        if lines[at].lstrip().startswith("["):
            return None
        if wanted.fullmatch(lines[at]):
            return at
    return None


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else toml_string(key)


def _checked(text: str, table: str, key: str, value: str | None) -> str:
    try:
        found: object = tomllib.loads(text).get(table, {})
    except tomllib.TOMLDecodeError as error:
        raise _cannot(table, key, value) from error
    empty: Mapping[str, object] = {}
    rows = cast("Mapping[str, object]", found) if isinstance(found, Mapping) else empty
    if rows.get(key) != value:
        raise _cannot(table, key, value)
    return text


def _cannot(table: str, key: str, value: str | None) -> ConfigError:
    if value is None:
        return ConfigError(
            f"{table}.{key} is not in a table [{table}] of its own",
            remedy=f"Take {key} out of {table} by hand.",
        )
    return ConfigError(
        f"the file has {table}, but not as a table [{table}] of its own",
        remedy=f"Add by hand to {table}: {_key(key)} = {toml_string(value)}",
    )
