"""`governance.toml`: who governs, as `ei governance init` writes it and everybody may read it."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ei.daemons.config_file import read_config, toml_string
from ei.errors import ConfigError, ConflictError
from ei.records.governance import MAX_KEYS, Governance
from ei.records.trust import parse_key


class GovernanceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parsed `governance.toml`.

    Attributes:
        version: Of this format.
        threshold: How many of the keys must sign a list of domains.
        keys: Ed25519 keys, 64 hexadecimal digits each; those that may sign the first list that a
            reader sees. Later sets of keys come with the lists.
    """

    version: Literal[1]
    threshold: Annotated[int, Meta(ge=1, le=MAX_KEYS)]
    keys: Annotated[tuple[str, ...], Meta(min_length=1, max_length=MAX_KEYS)]


TEMPLATE = """\
# Who says which domains there are: each list of domains is signed by {threshold} of these keys.
# Point to this file from node.toml and host.toml: governance = "{path}"
version = 1
threshold = {threshold}
keys = [
{keys}
]
"""


def load_governance(path: Path) -> Governance:
    """Read a `governance.toml`.

    Raises:
        ConfigError: what is wrong, where, and what is allowed.
    """
    config = read_config(path, GovernanceConfig)
    keys = tuple(parse_key(text, where=f"{path}: keys") for text in config.keys)
    check_set(keys, config.threshold, where=f"{path}: keys")
    return Governance(frozenset(keys), config.threshold)


def write_governance(path: Path, keys: tuple[bytes, ...], threshold: int) -> None:
    """Write a new `governance.toml`.

    Raises:
        ConflictError: it exists.
        ConfigError: such a set could not govern; nothing is written.
    """
    check_set(keys, threshold, where="KEY")
    lines = "\n".join(f"    {toml_string(key.hex())}," for key in keys)
    try:
        with path.open("x", encoding="utf-8") as file:
            _ = file.write(TEMPLATE.format(path=path.name, threshold=threshold, keys=lines))
    except FileExistsError as error:
        raise ConflictError(f"{path} exists, and is not overwritten") from error


def check_set(keys: tuple[bytes, ...], threshold: int, *, where: str) -> None:
    """Check that so many keys of a set can sign.

    Raises:
        ConfigError: they cannot; it names `where`.
    """
    if len(set(keys)) != len(keys):
        raise ConfigError(f"{where}: one key is there twice; each counts once")
    if threshold > len(keys):
        raise ConfigError(
            f"{where}: a threshold of {threshold} with {len(keys)} keys can never be reached;"
            f" allowed are 1 to {len(keys)}"
        )
