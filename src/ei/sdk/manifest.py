"""What a service says about itself before any of its code runs: its `manifest.toml`."""

import difflib
import tomllib
from pathlib import Path
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

from ei.errors import ConfigError

Capability = Literal["streams", "internet", "payload", "records.write", "routes.write"]
"""What a service may ask for beyond packets, control messages and its stores.

`payload`: it reads or changes what it carries, and so ends the protection of it.
"""

Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,47}$", description="a word like no_members")]
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
        capabilities: What it asks for; the environment refuses the rest.
        libraries: Third-party packages that it imports.
        drop_reasons: Every word it may give to `DropPacket` and `Discard`.
        counters: Every word it may give to `Count`.
        fail: What becomes of its packets while no worker runs: dropped; forwarded by what is
            still cached (`open`); or handed on along the chain (`bypass`).
        shard: `None` has one worker; else several, each with its part of the state.
        state: What the loss of a node may cost: `recomputable` nothing that does not heal by
            itself, `replicated` nothing while a copy lives, `durable` nothing.
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
    capabilities: tuple[Capability, ...] = ()
    libraries: tuple[str, ...] = ()
    drop_reasons: tuple[Word, ...] = ()
    counters: tuple[Word, ...] = ()
    fail: Literal["closed", "open", "bypass"] = "closed"
    shard: Literal["connection", "tenant"] | None = None
    state: Literal["recomputable", "replicated", "durable"] = "recomputable"
    config: dict[str, object] = {}


ENTRY_BYTES = 64
"""Added to the length of key and value when a store's size is counted: what keeping them costs."""


def load_manifest(folder: Path) -> Manifest:
    """Read and check `folder/manifest.toml`.

    Raises:
        ConfigError: The file is missing, is not TOML, or has a missing, wrong or unknown field;
            names file and field, what was seen and what is allowed.
    """
    path = folder / "manifest.toml"
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
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
        if name not in allowed:
            raise ConfigError(f"{path}: {name}: unknown field{_suggestion(name, list(allowed))}")
        try:
            _ = msgspec.convert(seen, allowed[name])
        except msgspec.ValidationError as error:
            raise ConfigError(f"{path}: {name}: {seen!r} seen, {_rule(name, error)}") from error
    try:
        manifest = msgspec.convert(fields, Manifest)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_missing(error)}") from error
    _check_together(manifest, path)
    return manifest


def _check_together(manifest: Manifest, path: Path) -> None:
    """Check what no field can say alone."""
    if manifest.state == "durable" and not manifest.stable_bytes:
        raise ConfigError(f"{path}: state: 'durable' seen, allowed only with stable_bytes above 0")
    for name in ("drop_reasons", "counters", "capabilities"):
        words: tuple[str, ...] = getattr(manifest, name)
        twice = sorted({word for word in words if words.count(word) > 1})
        if twice:
            raise ConfigError(f"{path}: {name}: {twice[0]!r} seen twice, each word once allowed")


def _rule(field: str, error: msgspec.ValidationError) -> str:
    """Return what is allowed, in the words of the field's type where it has some."""
    hint = get_type_hints(Manifest, include_extras=True)[field]
    described = [meta.description for meta in _metas(hint) if meta.description is not None]
    return f"{described[0]} allowed" if described else str(error)


def _metas(hint: object) -> list[Meta]:
    found = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, Meta)]
    for part in getattr(hint, "__args__", ()):
        found += _metas(part)
    return found


def _missing(error: msgspec.ValidationError) -> str:
    """Object missing required field `id` -> id: missing."""
    _, _, rest = str(error).partition("`")
    return f"{rest.partition('`')[0]}: missing, a value is required"


def _suggestion(name: str, allowed: list[str]) -> str:
    close = difflib.get_close_matches(name, allowed, n=1)
    return f"; did you mean {close[0]}?" if close else f"; allowed: {', '.join(sorted(allowed))}"
