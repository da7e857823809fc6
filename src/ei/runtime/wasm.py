"""A module in WebAssembly as a service: events and effects cross as the bytes that they are anyway.

Native code makes an instance for each event (`ei._core.WasmModule`), so this has nothing to keep
either. What it asks while it handles the event is answered here; docs/reference/module-abi.md.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ei.errors import ServiceError
from ei.runtime.limits import CpuExceeded
from ei.sdk import (
    Action,
    CancelTimer,
    Context,
    Count,
    Decision,
    DropPacket,
    Effect,
    Event,
    HoldPacket,
    InstallDecision,
    KeepDictionary,
    Key,
    Manifest,
    Packet,
    PacketArrived,
    PassPacket,
    Query,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendKept,
    SendPacket,
    Service,
    SetTimer,
    Store,
    StreamEffect,
    key_of,
)
from ei.sdk.packets import Address
from ei.sdk.stages import Stages
from ei.sdk.tiers import MIB, TIERS

if TYPE_CHECKING:
    from ei._core import WasmModule

FILE = "module.wasm"

MAX_FILE_BYTES = 4 * MIB
"""Of the code: what is larger takes longer to check than a node should wait."""

MEMORY_SHARE = 4
"""An event has so small a part of the tier's memory: Python is in there too."""

FUEL_PER_MS = 200_000
"""Of CPU time that the manifest allows. It takes half of that time at most here (2.3 ns each, in a
loop of nothing but jumps), so that fuel, which is the same everywhere, ends before time does."""


class WasmService(Service[Any]):
    """Hands each event over, and takes the effects."""

    __slots__ = ("_asked", "_module")

    def __init__(self, module: "WasmModule") -> None:
        self._module = module
        self._asked: Asked | None = None

    def on_packet(self, event: Event, ctx: Context[Any]) -> tuple[Effect, ...]:
        """Handle any event.

        Raises:
            ServiceError: It trapped, or what it wrote is no effect: why.
            CpuExceeded: Its fuel is used up.
        """
        asked = self._asked
        if asked is None or asked.ctx is not ctx:
            asked = self._asked = Asked(ctx)  # for all events of a batch
        try:
            effects = _decode(self._module.run(_encode(event), asked))
        except TimeoutError:
            raise CpuExceeded from None
        except RuntimeError as error:
            raise ServiceError(f"{FILE}: {error}") from None
        except msgspec.MsgspecError as error:
            raise ServiceError(f"{FILE}: an effect that is none: {error}") from None
        arrived = event.packet if isinstance(event, PacketArrived) else None
        return tuple([_whole(effect, arrived) for effect in effects])

    on_control = on_timer = on_peer = on_resolved = on_tally = on_not_kept = on_packet
    on_stream = on_start = on_packet


class Asked:
    """Answers what a module asks while it handles events: bytes, or nothing.

    Attributes:
        ctx: Of the events.
    """

    __slots__ = ("_said", "_walk", "ctx")

    def __init__(self, ctx: Context[Any]) -> None:
        self.ctx = ctx
        self._said = b""
        self._walk: Iterator[tuple[bytes, bytes]] = iter(())

    def context(self) -> bytes:
        """Return what of the context fits into one value."""
        if not self._said:
            ctx = self.ctx
            self._said = _encode((ctx.now_s, ctx.unix_s, ctx.node, ctx.domain, ctx.config))
        return self._said

    def peers(self) -> bytes:
        """Return the peers that are up."""
        return _encode(dict(self.ctx.peers))

    def peer(self, address: bytes) -> bytes | None:
        """Return the round trip of one peer, if it is up."""
        rtt_s = self.ctx.peers.get(Address(address))
        return None if rtt_s is None else struct.pack("<d", rtt_s)

    def record(self, query: bytes) -> bytes | None:
        """Return the record that answers a query, nil where there is none, if it was answered.

        Raises:
            ServiceError: It is no query.
        """
        try:
            asked = _decode_query(query)
        except msgspec.MsgspecError as error:
            raise ServiceError(f"{FILE}: a query that is none: {error}") from None
        records = self.ctx.records
        return _encode(records[asked]) if asked in records else None

    def get(self, is_stable: bool, key: bytes) -> bytes | None:  # noqa: FBT001 native code calls
        """Return a value."""
        return self._store(is_stable=is_stable).get(key)

    def put(
        self,
        is_stable: bool,  # noqa: FBT001 native code calls
        key: bytes,
        value: bytes,
        ttl_s: float | None,
    ) -> None:
        """Keep a value."""
        self._store(is_stable=is_stable).put(key, value, ttl_s=ttl_s)

    def delete(self, is_stable: bool, key: bytes) -> None:  # noqa: FBT001 native code calls
        """Forget a key."""
        self._store(is_stable=is_stable).delete(key)

    def compare_and_put(
        self,
        is_stable: bool,  # noqa: FBT001 native code calls
        key: bytes,
        value: bytes,
        expected: bytes | None,
        ttl_s: float | None,
    ) -> bytes | None:
        """Keep a value if another is there; return nothing when that is not so."""
        store = self._store(is_stable=is_stable)
        return b"" if store.compare_and_put(key, value, expected=expected, ttl_s=ttl_s) else None

    def scan(self, is_stable: bool, prefix: bytes) -> None:  # noqa: FBT001 native code calls
        """Begin to go through the keys with a prefix."""
        self._walk = self._store(is_stable=is_stable).scan(prefix)

    def next(self) -> bytes | None:
        """Return the next entry."""
        entry = next(self._walk, None)
        return None if entry is None else _encode(entry)

    def random(self, count: int) -> bytes:
        """Return so many random bytes."""
        return self.ctx.random.randbytes(count)

    def _store(self, *, is_stable: bool) -> Store:
        return self.ctx.stable if is_stable else self.ctx.ephemeral


def read_code(folder: Path) -> bytes:
    """Read the code of a module.

    Raises:
        ServiceError: It is missing or too long.
    """
    path = folder / FILE
    try:
        with path.open("rb") as file:
            code = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ServiceError(f"{path}: cannot be read: {error.strerror}") from error
    if len(code) > MAX_FILE_BYTES:
        raise ServiceError(f"{path}: more than the allowed {MAX_FILE_BYTES} B")
    return code


def check_code(code: bytes, manifest: Manifest, folder: Path) -> "WasmModule":
    """Check and translate the code of a module.

    Raises:
        ServiceError: It cannot run: why.
    """
    from ei._core import WasmModule  # noqa: PLC0415 workers of others need no native code

    memory_bytes = TIERS[manifest.tier].memory_mib * MIB // MEMORY_SHARE
    fuel = FUEL_PER_MS * manifest.handler_ms
    try:
        return WasmModule(code, memory_bytes=memory_bytes, fuel=fuel)
    except ValueError as error:
        raise ServiceError(
            f"{folder / FILE}: {error}; of memory {memory_bytes} B are allowed in the tier"
            f" {manifest.tier!r}"
        ) from None


def config_type_of(manifest: Manifest) -> type[msgspec.Struct] | None:
    """Return the type of a configuration that is declared by its defaults alone."""
    if not manifest.config:
        return None
    return msgspec.defstruct(
        "Config",
        [(name, type(value)) for name, value in manifest.config.items()],
        frozen=True,
        forbid_unknown_fields=True,
    )


class _Send(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """`SendPacket`; nil is the packet that arrived."""

    packet: Packet | None
    to: Address
    stages: Stages = ()


class _Pass(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """`PassPacket`; nil is the packet that arrived."""

    packet: Packet | None
    stages: Stages = ()


class _Decision(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """`Decision`; nil is the key of the packet that arrived."""

    key: Key | None
    action: Action
    ttl_s: float
    tag: bytes = b""
    stages: Stages = ()


class _Install(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3):
    """`InstallDecision`."""

    decision: _Decision


_Short = _Send | _Pass | _Install
"""What may leave out what arrived."""

_Written = (
    _Short
    | DropPacket
    | HoldPacket
    | RevokeDecisions
    | SendControl
    | SetTimer
    | CancelTimer
    | Resolve
    | Count
    | ReadTally
    | KeepDictionary
    | SendKept
    | StreamEffect
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[_Written, ...]).decode
_decode_query: Callable[[bytes], Query] = msgspec.msgpack.Decoder(Query).decode


def _whole(effect: _Written, arrived: Packet | None) -> Effect:
    """Return an effect with what it left out."""
    if isinstance(effect, _Send):
        return SendPacket(effect.packet or _known(arrived), effect.to, effect.stages)
    if isinstance(effect, _Install):
        said = effect.decision
        key = said.key or key_of(_known(arrived))
        return InstallDecision(Decision(key, said.action, said.ttl_s, said.tag, said.stages))
    if isinstance(effect, _Pass):
        return PassPacket(effect.packet or _known(arrived), effect.stages)
    return effect


def _known(arrived: Packet | None) -> Packet:
    if arrived is None:
        raise ServiceError(f"{FILE}: nil in the place of a packet: none has arrived")
    return arrived
