"""`bundle.toml`: what its author says of a bundle.

```toml
id = 112
name = "small"
version = "1.0.0"
summary = "Delivery that is compressed between nodes."

[[services]]
name = "compression"
version = ">=0.1, <0.2"

[[services]]
name = "delivery"

[[services]]
name = "compression"
```

A service may be another bundle. One of them sends; those behind it run before each pipe to another
node. With `at = "first"` a service runs only where a packet comes from a host, with `at = "last"`
only where it goes to one.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ei.bundles.ranges import parse_range
from ei.daemons.config_file import read_config
from ei.errors import ConfigError
from ei.sdk.composition import Kind

FILE = "bundle.toml"
MAX_PARTS = 16
MAX_NODES = 32

At = Literal["every", "first", "last"]
"""At which nodes a service runs: `every` one; the `first`, on what comes straight from a host; or
the `last`, before the pipe to a host."""

Constraint = Literal["different_operators"]
"""`different_operators`: some service of the chain refuses to be run at both its ends by one."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One service of a bundle, or one bundle.

    Attributes:
        name: Such as `delivery`.
        version: Which releases will do, such as `>=0.1, <0.2`; all, if it is empty.
        at: At `every` node, at the `first` or at the `last`. Behind the service that sends, `every`
            is before each pipe to another node.
    """

    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,31}$")]
    version: Annotated[str, Meta(max_length=80)] = ""
    at: At = "every"


class Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parsed `bundle.toml` of one folder.

    Attributes:
        id: Number carried in the packet header, which hosts name.
        name: Same as the folder name.
        version: Semantic version of the bundle.
        summary: One line for people.
        services: In the order in which a packet visits them; one of them sends.
        takes: What hosts send: `plain`, `compressed`, `sealed` or `private`.
        gives: What the host at the other end gets.
        constraints: What some service of it has to see to: `different_operators`.
        payload_bytes: So long a payload has to fit at least; 0 for no matter.
        latency_ms: The first packet of a flow may cost so much CPU time at all nodes together;
            0 for no matter.
        nodes: On the way, that `payload_bytes` and `latency_ms` are counted for.
    """

    id: Annotated[int, Meta(ge=112, le=2**32 - 1)]
    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,31}$")]
    version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$")]
    summary: Annotated[str, Meta(min_length=1, max_length=200)]
    services: Annotated[tuple[Part, ...], Meta(min_length=1, max_length=MAX_PARTS)]
    takes: Kind = "plain"
    gives: Kind = "plain"
    constraints: tuple[Constraint, ...] = ()
    payload_bytes: Annotated[int, Meta(ge=0, le=65_536)] = 0
    latency_ms: Annotated[int, Meta(ge=0, le=600_000)] = 0
    nodes: Annotated[int, Meta(ge=1, le=MAX_NODES)] = 2

    @property
    def title(self) -> str:
        """Name and version, such as `small@1.0.0`."""
        return f"{self.name}@{self.version}"


def load_bundle(folder: Path) -> Bundle:
    """Read `folder/bundle.toml`: each field by itself; what they come to `check_bundle` says.

    Raises:
        ConfigError: it cannot be read, is not TOML, or a field is missing, wrong or unknown: which,
            what was seen and what is allowed.
    """
    path = folder / FILE
    bundle = read_config(path, Bundle)
    for part in bundle.services:
        try:
            _ = parse_range(part.version)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}", remedy=error.remedy) from error
    if bundle.name != folder.resolve().name:
        raise ConfigError(
            f"{path}: name: {bundle.name!r} seen, the folder's name {folder.name!r} allowed"
        )
    return bundle
