"""`governance.toml`: who governs, as `ei governance init` writes it and everybody may read it."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ei.daemons.config_file import read_config, toml_string
from ei.errors import ConfigError
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
    keys = [parse_key(text, where=f"{path}: keys") for text in config.keys]
    if len(set(keys)) != len(keys):
        raise ConfigError(f"{path}: keys: one key is there twice; each counts once")
    if config.threshold > len(keys):
        raise ConfigError(
            f"{path}: threshold: {config.threshold} of {len(keys)} keys can never sign;"
            f" allowed are 1 to {len(keys)}"
        )
    return Governance(frozenset(keys), config.threshold)


def governance_text(path: Path, keys: tuple[bytes, ...], threshold: int) -> str:
    """Return the content of a `governance.toml` that is to be at `path`."""
    lines = "\n".join(f"    {toml_string(key.hex())}," for key in keys)
    return TEMPLATE.format(path=path, threshold=threshold, keys=lines)
