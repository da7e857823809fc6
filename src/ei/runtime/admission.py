"""What a service may ask for: the types of the sdk, and what its manifest grants.

Structs are not checked when they are made, and modules are not type-checked before they run. So
all that an event asks for is encoded and read back once: reading checks each type, length and
range, in native code, and the bytes are those that the datapath gets anyway. (The commonest answer
is known to be right without: `ei.runtime.plain_answers`.) What only the manifest knows is checked
here. Native code checks again, since a module shares its process with this one.
"""

from typing import Any, get_args

import msgspec

from ei.errors import ExceededError, ServiceError, UndeclaredError
from ei.runtime.shown import shown
from ei.sdk import (
    Action,
    AtNode,
    CancelTimer,
    Capability,
    CloseStream,
    Count,
    Discard,
    DropPacket,
    Effect,
    Forward,
    HoldPacket,
    InstallDecision,
    KeepDictionary,
    Legacy,
    Manifest,
    OpenStream,
    Packet,
    PassPacket,
    ReadStream,
    ReadTally,
    Resolve,
    RevokeDecisions,
    SendControl,
    SendKept,
    SendPacket,
    SetTimer,
    SpliceStreams,
    StartTls,
    StreamEffect,
    WriteStream,
)
from ei.sdk.packets import Peer
from ei.sdk.stages import Stages
from ei.sdk.tiers import TIERS

MAX_EFFECTS = TIERS["heavy"].effects
"""Of one event, whatever the tier."""

MAX_MESSAGE_BYTES = 64 * 1024


class _Send(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0):
    """`SendPacket` but for its packet, which as a rule is the one that arrived."""

    packet: msgspec.Raw
    to: Peer
    stages: Stages = ()


class _Pass(msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5):
    """`PassPacket` but for its packet."""

    packet: msgspec.Raw
    stages: Stages = ()


_Form = (
    _Send
    | DropPacket
    | HoldPacket
    | InstallDecision
    | RevokeDecisions
    | _Pass
    | SendControl
    | SetTimer
    | CancelTimer
    | Resolve
    | Count
    | ReadTally
    | KeepDictionary
    | SendKept
    | OpenStream
    | ReadStream
    | WriteStream
    | CloseStream
    | SpliceStreams
    | StartTls
)


_KINDS: frozenset[type] = frozenset(get_args(Effect))
"""What derives from them, or is encoded as they are, is not one: others look for these types."""

_OF_ONE_STREAM = (WriteStream, ReadStream, CloseStream)


class Admission:
    """Checks the effects of one service. Each check returns, or raises `ServiceError`."""

    def __init__(self, manifest: Manifest, messages: tuple[type, ...]) -> None:
        self._max_hops = manifest.max_hops
        self._max_effects = TIERS[manifest.tier].effects
        self._drop_reasons = frozenset(manifest.drop_reasons)
        self._counters = frozenset(manifest.counters)
        self._capabilities = manifest.capabilities
        self._is_anonymous = manifest.anonymous
        self._reads_payload = "payload" in manifest.capabilities
        self._messages = messages
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(tuple[_Form, ...]).decode
        self._decode_packet = msgspec.msgpack.Decoder(Packet).decode
        self._admitted: Packet | None = None
        self._admitted_after: Packet | None = None

    def check(  # noqa: C901 in one walk, since each miss comes by here
        self, effects: tuple[Effect, ...], arrived: Packet | None
    ) -> tuple[bytes, bool, list[Effect]]:
        """Check the form of all effects of an event, and what the manifest says of packets.

        Args:
            effects: Of the event.
            arrived: Its packet, if it has one.

        Returns:
            The effects encoded, whether there are copies, and those that are neither copies nor
            decisions.

        Raises:
            ServiceError: Names the field, what was seen and what is allowed.
        """
        if len(effects) > self._max_effects:
            raise ExceededError(f"more than {self._max_effects} effects of one event")
        try:
            encoded = self._encode(effects)
            _ = self._decode(encoded)
        except msgspec.ValidationError as error:
            raise ServiceError(_explain(error, effects)) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise ServiceError(f"effects that are no plain data: {error}") from error
        is_sent = False
        others: list[Effect] = []
        for effect in effects:
            # `isinstance` and `match` of what is another Struct cost six times as much.
            if type(effect) is SendPacket:
                is_sent = True
                if effect.packet is not arrived:
                    self.check_packet(effect.packet, arrived)
            elif type(effect) is InstallDecision:
                action = effect.decision.action
                if type(action) is not Forward or len(action.hops) > self._max_hops:
                    self._check_action(action)
            elif type(effect) in _KINDS:
                if type(effect) is PassPacket and effect.packet is not arrived:
                    self.check_packet(effect.packet, arrived)
                others.append(effect)
            else:
                raise ServiceError(f"{shown(effect)} is not an effect")
        return encoded, is_sent, others

    def check_packet(self, packet: Packet, arrived: Packet | None) -> None:
        """Check a packet that is not the one that arrived.

        Args:
            packet: To be sent, or handed on.
            arrived: What it is sent in the place of. Its payload is kept, unless the manifest
                declares `payload`.
        """
        if packet is self._admitted and arrived is self._admitted_after:
            return  # one copy for many peers
        try:
            _ = self._decode_packet(self._encode(packet))
        except msgspec.ValidationError as error:
            raise ServiceError(_explain(error, (packet,), is_inside=True)) from error
        except (TypeError, ValueError, OverflowError) as error:
            raise ServiceError(f"a packet that is no plain data: {error}") from error
        if arrived is not None and not self._reads_payload and packet.payload != arrived.payload:
            raise UndeclaredError("changes a payload: the manifest lacks the capability payload")
        self._admitted, self._admitted_after = packet, arrived

    def _check_action(self, action: Action) -> None:
        """Check what of a decision the manifest limits."""
        if isinstance(action, Forward):
            if len(action.hops) > self._max_hops:
                raise ExceededError(f"{len(action.hops)} hops: 1 to {self._max_hops} allowed")
        elif isinstance(action, Discard):
            self.check_reason(action.reason)

    def check_reason(self, reason: str) -> None:
        """Check that the manifest declares the reason of a drop."""
        if reason not in self._drop_reasons:
            allowed = ", ".join(sorted(self._drop_reasons)) or "none"
            raise UndeclaredError(f"reason {reason!r}: the manifest's drop_reasons allow {allowed}")

    def check_counter(self, effect: Count) -> None:
        """Check that the manifest declares the counter."""
        if effect.name not in self._counters:
            allowed = ", ".join(sorted(self._counters)) or "none"
            raise UndeclaredError(
                f"counter {effect.name!r}: the manifest's counters allow {allowed}"
            )

    def check_stream(self, effect: StreamEffect) -> None:
        """Check what of a stream the manifest limits, and what no field can say alone."""
        self._check_capability("streams", effect)
        if isinstance(effect, _OF_ONE_STREAM):
            return  # by far the most
        match effect:
            case OpenStream(stream=stream) if stream % 2 == 0:
                raise ServiceError(f"OpenStream.stream = {stream}: odd numbers allowed")
            case OpenStream(to=AtNode()) if self._is_anonymous:
                raise ServiceError(f"{shown(effect)}: an anonymous service opens none to a node")
            case OpenStream(to=Legacy()):
                self._check_capability("internet", effect)
            case StartTls():
                self._check_capability("sites", effect)
            case SpliceStreams(a=a, b=b) if a == b:
                raise ServiceError(f"SpliceStreams.b = {b}: another stream than a allowed")
            case _:
                pass

    def _check_capability(self, word: Capability, effect: StreamEffect) -> None:
        if word not in self._capabilities:
            raise UndeclaredError(f"{shown(effect)}: the manifest lacks the capability {word}")

    def encode_message(self, effect: SendControl) -> bytes:
        """Return the bytes of a control message."""
        if not isinstance(effect.message, self._messages):
            raise UndeclaredError(f"message {shown(effect.message)}: not one of MESSAGES")
        message = self._encode(effect.message)
        if len(message) > MAX_MESSAGE_BYTES:
            raise ExceededError(f"message of {len(message)} B exceeds {MAX_MESSAGE_BYTES} B")
        return message


def _explain(
    error: msgspec.ValidationError, effects: tuple[object, ...], *, is_inside: bool = False
) -> str:
    """Say which field is wrong, what was seen there, and what is allowed.

    msgspec names the place by positions in the arrays that Structs are encoded as:
    `Expected ... - at `$[0][1][2]``; inside of one effect or packet, `$[1][2]`.
    """
    rule, _, place = str(error).rstrip("`").partition(" - at `$")
    steps = [int(step) for step in place.strip("[]").split("][")]
    seen: Any = effects[0 if is_inside else steps.pop(0)]
    name = type(seen).__name__
    if not steps or not isinstance(seen, Packet if is_inside else Effect):
        return f"{shown(seen)} is not an effect"
    for step in steps:
        if isinstance(seen, msgspec.Struct):
            field = seen.__struct_fields__[step - (seen.__struct_config__.tag is not None)]
            name, seen = f"{name}.{field}", getattr(seen, field)
        else:
            name, seen = f"{name}[{step}]", seen[step]
    return f"{name} = {shown(seen)}: {rule}"
