"""What a service may ask for: the limits of every effect, and what the manifest grants.

Native code checks again, since a module shares its process with this one.
"""

from collections.abc import Sequence
from typing import assert_never

import msgspec

from ei.errors import ServiceError
from ei.runtime.holds import MAX_TIMEOUT_S
from ei.runtime.timers import MAX_AFTER_S, MAX_KEY_BYTES
from ei.sdk import (
    Address,
    Count,
    Decision,
    Discard,
    Forward,
    HoldPacket,
    InstallDecision,
    Manifest,
    Packet,
    PassPacket,
    ReadTally,
    RevokeDecisions,
    SendControl,
    SendPacket,
    SetTimer,
    Stage,
)

MAX_EFFECTS = 2_048
MAX_METADATA_BYTES = 255
MAX_PAYLOAD_BYTES = 65_000
MAX_TAG_BYTES = 64
MAX_TTL_S = 3_600.0
MAX_STAGES = 8
MAX_OBJECT_BYTES = 64
MAX_MESSAGE_BYTES = 64 * 1024
MAX_AMOUNT = 2**32
_ADDRESS_BYTES = 16


class Admission:
    """Checks the effects of one service. Each check returns, or raises `ServiceError`."""

    def __init__(self, manifest: Manifest, messages: tuple[type[msgspec.Struct], ...]) -> None:
        self._max_hops = manifest.max_hops
        self._drop_reasons = frozenset(manifest.drop_reasons)
        self._counters = frozenset(manifest.counters)
        self._reads_payload = "payload" in manifest.capabilities
        self._messages = messages
        self._encoder = msgspec.msgpack.Encoder()
        self._packet_decoder = msgspec.msgpack.Decoder(Packet)
        self._admitted: Packet | None = None
        self._admitted_after: Packet | None = None

    def check_count_of_effects(self, effects: Sequence[object]) -> None:
        if len(effects) > MAX_EFFECTS:
            raise ServiceError(f"more than {MAX_EFFECTS} effects of one event")

    def check_send(self, effect: SendPacket, arrived: Packet | None) -> None:
        _check_address("SendPacket.to", effect.to)
        if effect.packet is not arrived:
            self.check_packet(effect.packet, arrived)
        if effect.stages:
            _check_stages(effect.stages)

    def check_pass(self, effect: PassPacket, arrived: Packet) -> None:
        if effect.packet is not arrived:
            self.check_packet(effect.packet, arrived)
        if effect.stages:
            _check_stages(effect.stages)

    def check_packet(self, packet: Packet, arrived: Packet | None) -> None:
        """Check a packet that is not the one that arrived.

        What arrived may leave only with the payload that it came with, unless the manifest
        declares `payload`.
        """
        if packet is self._admitted and arrived is self._admitted_after:
            return  # one copy for many peers
        try:
            # Packets are not checked when they are made: reading one back checks every type.
            _ = self._packet_decoder.decode(self._encoder.encode(packet))
        except (msgspec.ValidationError, TypeError, OverflowError) as error:
            raise ServiceError(f"not a packet: {packet!r:.200}: {error}") from error
        _check_bytes("packet.metadata", packet.metadata, MAX_METADATA_BYTES)
        _check_bytes("packet.payload", packet.payload, MAX_PAYLOAD_BYTES)
        if arrived is not None and not self._reads_payload and packet.payload != arrived.payload:
            raise ServiceError("changes a payload: the manifest lacks the capability payload")
        self._admitted, self._admitted_after = packet, arrived

    def check_plain(self, effect: InstallDecision | RevokeDecisions | Count | ReadTally) -> None:
        """Check an effect that goes to the datapath as it is."""
        match effect:
            case InstallDecision(decision=decision):
                self._check_decision(decision)
            case RevokeDecisions(tag=tag):
                _check_bytes("tag", tag, MAX_TAG_BYTES)
            case Count():
                self._check_count(effect)
            case ReadTally(object=name):
                _check_object(name)
            case _:
                assert_never(effect)

    def _check_decision(self, decision: Decision) -> None:
        if not 0 < decision.ttl_s <= MAX_TTL_S:
            raise ServiceError(
                f"ttl_s = {decision.ttl_s}: above 0 and up to {MAX_TTL_S:.0f} allowed"
            )
        _check_bytes("decision.tag", decision.tag, MAX_TAG_BYTES)
        if decision.stages:
            _check_stages(decision.stages)
        action = decision.action
        if isinstance(action, Forward):
            self._check_hops(action)
        elif isinstance(action, Discard):
            self.check_reason(action.reason)

    def _check_hops(self, action: Forward) -> None:
        if not 1 <= len(action.hops) <= self._max_hops:
            raise ServiceError(f"{len(action.hops)} hops: 1 to {self._max_hops} allowed")
        for hop in action.hops:
            _check_address("hop.to", hop.to)
            if hop.metadata is not None:
                _check_bytes("hop.metadata", hop.metadata, MAX_METADATA_BYTES)

    def check_reason(self, reason: str) -> None:
        if reason not in self._drop_reasons:
            allowed = ", ".join(sorted(self._drop_reasons)) or "none"
            raise ServiceError(f"reason {reason!r}: the manifest's drop_reasons allow {allowed}")

    def check_hold(self, effect: HoldPacket) -> None:
        if not 0 < effect.timeout_s <= MAX_TIMEOUT_S:
            raise ServiceError(
                f"timeout_s = {effect.timeout_s}: above 0 and up to {MAX_TIMEOUT_S:.0f} allowed"
            )

    def check_timer(self, effect: SetTimer) -> None:
        _check_bytes("timer key", effect.key, MAX_KEY_BYTES)
        if not 0 <= effect.after_s <= MAX_AFTER_S:
            raise ServiceError(f"after_s = {effect.after_s}: 0 to {MAX_AFTER_S:.0f} allowed")

    def _check_count(self, effect: Count) -> None:
        if effect.name not in self._counters:
            allowed = ", ".join(sorted(self._counters)) or "none"
            raise ServiceError(f"counter {effect.name!r}: the manifest's counters allow {allowed}")
        if type(effect.amount) is not int or not 0 <= effect.amount <= MAX_AMOUNT:
            raise ServiceError(f"amount = {effect.amount}: 0 to {MAX_AMOUNT} allowed")

    def encode_message(self, effect: SendControl) -> bytes:
        """Return the bytes of a control message."""
        _check_address("SendControl.to", effect.to)
        if not isinstance(effect.message, self._messages):
            raise ServiceError(f"message {effect.message!r:.200}: not one of MESSAGES")
        message = self._encoder.encode(effect.message)
        if len(message) > MAX_MESSAGE_BYTES:
            raise ServiceError(f"message of {len(message)} B exceeds {MAX_MESSAGE_BYTES} B")
        return message


def _check_address(name: str, address: Address) -> None:
    if type(address) is not bytes or len(address) != _ADDRESS_BYTES:
        raise ServiceError(
            f"{name} = {address!r:.200}: an address of {_ADDRESS_BYTES} bytes allowed"
        )


def _check_bytes(name: str, value: bytes, most_bytes: int) -> None:
    if type(value) is not bytes or len(value) > most_bytes:
        raise ServiceError(f"{name} = {value!r:.200}: 0 to {most_bytes} bytes allowed")


def _check_object(name: bytes) -> None:
    if type(name) is not bytes or not 1 <= len(name) <= MAX_OBJECT_BYTES:
        raise ServiceError(f"object = {name!r:.200}: 1 to {MAX_OBJECT_BYTES} bytes allowed")


def _check_stages(stages: tuple[Stage, ...]) -> None:
    if len(stages) > MAX_STAGES:
        raise ServiceError(f"{len(stages)} stages: up to {MAX_STAGES} allowed")
    for stage in stages:
        _check_object(stage.object)
