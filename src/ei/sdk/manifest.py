"""What a service says about itself before any of its code runs: its `manifest.toml`."""

import difflib
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, cast, get_args, get_type_hints

import msgspec
from msgspec import Meta

from ei.errors import ConfigError
from ei.sdk.composition import EVERY_KIND, AddsBytes, Gives, Port, Takes
from ei.sdk.knowledge import Fact, Party
from ei.sdk.tiers import TIERS, TierName, least_tier

Capability = Literal["payload", "streams", "internet", "sites"]
"""What a service may ask for beyond packets, control messages and its stores.

`payload`: it reads or changes what it carries, and so ends the protection of it.
`streams`: hosts and nodes open streams to it, and it opens streams to them.
`internet`: it opens streams to the legacy Internet, as far as the operator allows; needs `streams`.
"""

Fail = Literal["closed", "open", "bypass"]
Engine = Literal["python", "wasm"]
State = Literal["recomputable", "durable", "replicated"]
MAX_REPLICATED_BYTES = 64 * 1024 * 1024
"""Replicated state is in the memory of every member."""
MAX_FILE_BYTES = 64 * 1024

FIRST_COMPAT_DATE = "2026-11-30"
COMPAT_DATE = "2026-11-30"
"""The newest that this version knows: what it does for a module is what was so on the module's own
date, from the first one on."""


PLANNED: Mapping[str, tuple[str, ...]] = {
    "capabilities": ("records.write", "routes.write"),
    "shard": ("connection", "tenant"),
}
"""Words of the design that nothing keeps yet: said here, they would be a promise that is broken."""


def _listed(words: object) -> str:
    return ", ".join(get_args(words))


Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,47}$")]
Words = Annotated[tuple[Word, ...], Meta(description="a list of words like no_members")]
StoreBytes = Annotated[int, Meta(ge=0, le=2**40, description="0 to 2^40 bytes")]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parsed `manifest.toml` of one service folder.

    Attributes:
        id: Number carried in the packet header; 1 is the control channel's own.
        name: Same as the folder name.
        version: Semantic version of the module.
        summary: One line for people.
        stable_bytes: Most bytes it may keep in its stable store, each entry counted with
            `ENTRY_BYTES` more than key and value.
        ephemeral_bytes: As `stable_bytes`, for its ephemeral store.
        handler_ms: Most milliseconds of CPU time for one event.
        queue_packets: Most misses that wait for it on one datapath thread.
        max_hops: Most copies that one decision may make.
        match_metadata: Decisions match the first so many bytes of metadata; it reads no others.
            `None` matches all.
        max_objects: Most meters and tallies it may have.
        capabilities: What it asks for, of `payload`, `streams`, `internet` and `sites`; the
            environment refuses the rest.
        anonymous: Whoever opens a stream to it need not be known: another node hides it. Packets of
            streams end here while their metadata is empty, and are the service's to forward else;
            `StreamOpened.peer` is their source, which nobody has proved. What goes back carries
            the one byte 01 as metadata, covered. It opens no streams to other nodes.
        engine: What runs it: `python` its `service.py`, `wasm` its `module.wasm`.
        tier: What it may ask of a node at most: `nano`, `standard` or `heavy`; see
            `ei.sdk.tiers`.
        libraries: Third-party packages that it imports.
        drop_reasons: Every word it may give to `DropPacket` and `Discard`.
        counters: Every word it may give to `Count`.
        fail: What becomes of its packets while no worker runs: dropped; forwarded by what is
            still cached (`open`); or handed on along the chain (`bypass`).
        state: What the loss of a node may cost its stable store. `recomputable`: all, and it heals
            by itself. `durable`: nothing that is on its disk; it waits for the node to come back.
            `replicated`: nothing; other members of the cluster have it on their disks.
        copies: With `replicated`: how many members have what is acknowledged, on disk.
        receipts: Whether nodes say what became of its packets, to who sent them; a service that
            hides who talks to whom says no.
        knows: Who learns what, of a service that hides something: party to facts, each one of the
            words of `ei.sdk.knowledge`; an empty list for a party that learns nothing.
        takes, gives, adds_bytes: What payloads are before it and behind it, and by how much they
            grow at most; see `ei.sdk.composition`.
        hands_on: Packets go on to the next service of a chain; without it they end here, or are
            sent from here.
        before_pipe: What it takes and gives behind the service that sends, before a pipe to another
            node; without it, it does not stand there.
        compat: The date whose rules it was written for: later changes of events and effects that it
            would notice are kept from it.
        config: Default configuration, checked against the `Config` of the service.
    """

    id: Annotated[int, Meta(ge=2, le=2**32 - 1, description="2 to 2^32 - 1")]
    name: Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,31}$", description="a word like echo")]
    version: Annotated[
        str, Meta(pattern=r"^\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$", description="x.y.z")
    ]
    summary: Annotated[str, Meta(min_length=1, max_length=200, description="1 to 200 characters")]
    stable_bytes: StoreBytes = 0
    ephemeral_bytes: StoreBytes = 0
    handler_ms: Annotated[int, Meta(ge=1, le=10_000, description="1 to 10_000")] = 50
    queue_packets: Annotated[int, Meta(ge=1, le=65_536, description="1 to 65_536")] = 1_024
    max_hops: Annotated[int, Meta(ge=1, le=1_024, description="1 to 1_024")] = 64
    match_metadata: Annotated[int, Meta(ge=0, le=255, description="0 to 255 bytes")] | None = None
    max_objects: Annotated[int, Meta(ge=0, le=2**20, description="0 to 2^20")] = 0
    capabilities: Annotated[
        tuple[Capability, ...], Meta(description=f"a list of {_listed(Capability)}")
    ] = ()
    anonymous: Annotated[bool, Meta(description="true or false")] = False
    engine: Annotated[Engine, Meta(description=_listed(Engine))] = "python"
    tier: Annotated[TierName, Meta(description=_listed(TierName))] = "standard"
    libraries: Annotated[tuple[str, ...], Meta(description="a list of packages")] = ()
    drop_reasons: Words = ()
    counters: Words = ()
    fail: Annotated[Fail, Meta(description=_listed(Fail))] = "closed"
    state: Annotated[State, Meta(description=_listed(State))] = "recomputable"
    copies: Annotated[int, Meta(ge=1, le=16, description="1 to 16")] = 2
    receipts: Annotated[bool, Meta(description="true or false")] = True
    knows: Annotated[
        dict[Party, tuple[Fact, ...]],
        Meta(description=f"a table from some of {_listed(Party)} to lists of {_listed(Fact)}"),
    ] = {}
    takes: Takes = EVERY_KIND
    gives: Gives = None
    adds_bytes: AddsBytes = 0
    hands_on: Annotated[bool, Meta(description="true or false")] = False
    before_pipe: Annotated[
        Port | None, Meta(description="a table of takes, gives and adds_bytes")
    ] = None
    compat: Annotated[
        str, Meta(pattern=r"^\d{4}-\d\d-\d\d$", description=f"a date like {COMPAT_DATE!r}")
    ] = FIRST_COMPAT_DATE
    config: Annotated[dict[str, object], Meta(description="a table")] = {}

    @property
    def in_chain(self) -> Port:
        """What it takes and gives in a chain, up to the service that sends."""
        return Port(takes=self.takes, gives=self.gives, adds_bytes=self.adds_bytes)


ENTRY_BYTES = 64
"""Added to the length of key and value when a store's size is counted: what keeping them costs."""

_NO_LIBRARIES = sys.stdlib_module_names | {"__main__", "ei"}
"""What of the standard library only computes, and `ei.sdk`, need no declaration; the rest has none
that would help."""


def load_manifest(folder: Path) -> Manifest:
    """Read and check `folder/manifest.toml`.

    Raises:
        ConfigError: The file is missing, is not TOML, or has a missing, wrong or unknown field;
            names file and field, what was seen and what is allowed.
    """
    path = folder / "manifest.toml"
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: more than the allowed {MAX_FILE_BYTES} B")
        fields = tomllib.loads(content.decode())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not TOML of ours: nested too deeply") from error
    except ValueError as error:  # no text, no TOML, or an absurdly long number
        raise ConfigError(f"{path}: not TOML: {error}") from error
    manifest = _parse(fields, path)
    if manifest.name != folder.name:
        raise ConfigError(
            f"{path}: name: {manifest.name!r} seen, the folder's name {folder.name!r} allowed"
        )
    return manifest


def _parse(fields: dict[str, object], path: Path) -> Manifest:
    allowed = get_type_hints(Manifest, include_extras=True)
    for name, seen in fields.items():
        _check_planned(name, seen, path)
        if name not in allowed:
            raise ConfigError(f"{path}: {name}: unknown field{_suggestion(name, list(allowed))}")
        try:
            _ = msgspec.convert(seen, allowed[name])
        except msgspec.ValidationError as error:
            raise ConfigError(
                f"{path}: {name}: {seen!r} seen, {_allowed(allowed[name])} allowed"
            ) from error
    if fields.get("tier") == "nano":
        _ = fields.setdefault("handler_ms", TIERS["nano"].handler_ms)
    try:
        manifest = msgspec.convert(fields, Manifest)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_missing(error)}") from error
    _check_together(manifest, path)
    return manifest


def _check_planned(name: str, seen: object, path: Path) -> None:
    words = cast("list[object]", seen) if isinstance(seen, list) else [seen]
    for word in PLANNED.get(name, ()):
        if word in words:
            raise ConfigError(f"{path}: {name}: not in this version: {word!r}")


def _check_together(manifest: Manifest, path: Path) -> None:
    """Check what no field can say alone."""
    for name in ("drop_reasons", "counters", "capabilities"):
        words: tuple[str, ...] = getattr(manifest, name)
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ConfigError(f"{path}: {name}: {twice[0]!r} seen twice, each word once allowed")

    for party, facts in manifest.knows.items():
        if len(set(facts)) != len(facts):
            raise ConfigError(f"{path}: knows: {party}: {facts!r} seen, each fact once allowed")

    if not FIRST_COMPAT_DATE <= manifest.compat <= COMPAT_DATE:
        raise ConfigError(
            f"{path}: compat: {manifest.compat!r} seen, {FIRST_COMPAT_DATE!r} to {COMPAT_DATE!r}"
            " allowed; a later date is of a newer version of ei"
        )
    _check_libraries(manifest, path)
    needing = [word for word in ("internet", "sites") if word in manifest.capabilities]
    seen = [f"capabilities: {word!r}" for word in needing] + [
        "anonymous: true"
    ] * manifest.anonymous
    if seen and "streams" not in manifest.capabilities:
        raise ConfigError(f"{path}: {seen[0]} seen without 'streams', which it needs")

    _check_tier(manifest, path)
    if manifest.state == "replicated" and not 0 < manifest.stable_bytes <= MAX_REPLICATED_BYTES:
        raise ConfigError(
            f"{path}: stable_bytes: {manifest.stable_bytes} seen, 1 to {MAX_REPLICATED_BYTES}"
            ' allowed with state = "replicated"'
        )


def _check_libraries(manifest: Manifest, path: Path) -> None:
    if manifest.libraries and manifest.engine == "wasm":
        raise ConfigError(f"{path}: libraries: seen, none allowed with engine = 'wasm'")
    for package in manifest.libraries:
        if not package.isidentifier() or package in _NO_LIBRARIES:
            raise ConfigError(
                f"{path}: libraries: {package!r} seen, names of packages that are no part of Python"
                " allowed, such as 'h11'"
            )


def _check_tier(manifest: Manifest, path: Path) -> None:
    tier = TIERS[manifest.tier]
    for name in ("handler_ms", "stable_bytes", "ephemeral_bytes"):
        seen, most = getattr(manifest, name), getattr(tier, name)
        if seen > most:
            raise ConfigError(
                f"{path}: {name}: {seen} seen, {most} allowed in the tier {manifest.tier!r};"
                f" write tier = {least_tier(name, seen)!r}"
            )
    if "streams" in manifest.capabilities and not tier.streams:
        raise ConfigError(
            f"{path}: capabilities: 'streams' seen, none allowed in the tier {manifest.tier!r};"
            f" write tier = {least_tier('streams', 1)!r}"
        )


def _allowed(hint: object) -> str:
    """Return what a field allows, in the words of its type."""
    return next(
        str(meta.description)
        for part in (hint, *get_args(hint))
        for meta in getattr(part, "__metadata__", ())
    )


def _missing(error: msgspec.ValidationError) -> str:
    """Object missing required field `id` -> id: missing."""
    _, _, rest = str(error).partition("`")
    return f"{rest.partition('`')[0]}: missing, a value is required"


def _suggestion(name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"; did you mean {close[0]}?" if close else f"; allowed: {', '.join(sorted(allowed))}"
