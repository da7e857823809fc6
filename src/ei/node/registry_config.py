"""`[registry]` in `node.toml`: whose releases a node runs by itself."""

from typing import Annotated

import msgspec
from msgspec import Meta

from ei.errors import ConfigError

MAX_SERVICES = 64


class RegistryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A registry that a node follows.

    Attributes:
        url: Where it is served, such as "http://registry.example:8300"; or its folder.
        root: File with its first root, which the operator has by another way: who governs.
        services: Those whose versions the registry says. They run as soon as there is a release;
            one that is in `services` of node.toml too runs as it is there until then.
        bundles: The same of bundles. One runs while all that it is made of does, in the versions
            that it takes: services, and the bundles within it.
        witnesses: Keys of the log's witnesses, as C2SP signed notes write them, in the place of
            those that the root names.
        needed: How many of these must have cosigned the log.
        poll_s: How often it is asked; after a failure less and less often, up to ten times that.
        change_s: Least time from one change of a service's version to the next. What governance
            revokes, and what has too many errors, goes at once.
        watch_s: For how long a new version is held against the one before.
        most_errors: Share of its events that may come to nothing beyond twice that of the version
            before; with more it gives way, and the registry is told.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2_048)]
    root: Annotated[str, Meta(min_length=1, max_length=4_096)] = "root.json"
    services: Annotated[tuple[str, ...], Meta(max_length=MAX_SERVICES)] = ()
    bundles: Annotated[tuple[str, ...], Meta(max_length=MAX_SERVICES)] = ()
    witnesses: Annotated[tuple[str, ...], Meta(max_length=32)] = ()
    needed: Annotated[int, Meta(ge=0, le=32)] = 0
    poll_s: Annotated[float, Meta(ge=0.1, le=86_400)] = 30.0
    change_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    watch_s: Annotated[float, Meta(ge=0, le=86_400)] = 600.0
    most_errors: Annotated[float, Meta(ge=0, le=1)] = 0.01


def check_registry(config: RegistryConfig) -> None:
    """Check what no field can say alone.

    Raises:
        ConfigError: it names nothing to follow, or something twice.
    """
    names = (*config.services, *config.bundles)
    if not names:
        raise ConfigError(
            "registry: neither services nor bundles seen, one of them is required",
            remedy='Such as services = ["hello"]',
        )
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"registry: {', '.join(twice)} named twice, each service or bundle is named once"
        )
