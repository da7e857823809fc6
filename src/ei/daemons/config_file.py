"""Reads TOML configuration: typed, versioned; an unknown key is refused with a suggestion."""

import tomllib
from pathlib import Path
from typing import TypeVar, cast

import msgspec

from ei.errors import ConfigError
from ei.runtime.tables import convert_table

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
        return parse_table(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def parse_config(text: str, kind: type[ConfigT]) -> ConfigT:
    """Parse the text of a configuration file; see `read_config`."""
    return convert_table(parse_table(text), kind)


def parse_table(text: str) -> dict[str, object]:
    """Parse TOML, of whatever kind.

    Raises:
        ConfigError: it is none.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError("not TOML of ours: tables or arrays are nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError is one; absurdly long numbers raise another
        raise ConfigError(f"not TOML: {error}") from error


def toml_string(value: str) -> str:
    """Return `value` as a TOML basic string."""
    escaped = "".join(
        f"\\U{ord(letter):08x}" if letter in '"\\' or not letter.isprintable() else letter
        for letter in value
    )
    return f'"{escaped}"'


def toml_value(value: object) -> str:
    """Return a value as TOML: a text, number, truth, or lists and tables of them, on one line.

    Raises:
        ConfigError: it is of another kind.
    """
    match value:
        case bool():
            return str(value).lower()
        case str():
            return toml_string(value)
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(map(toml_value, cast('list[object]', value)))}]"
        case dict():
            rows = cast("dict[str, object]", value).items()
            return (
                f"{{{', '.join(f'{toml_string(key)} = {toml_value(each)}' for key, each in rows)}}}"
            )
        case _:
            kind = type(value).__name__
            raise ConfigError(f"{value!r} is a {kind}; allowed: text, number, truth, list, table")
