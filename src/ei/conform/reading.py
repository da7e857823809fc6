"""What a module does not look at: payloads without the capability, metadata past what is matched.

The story is played again with other bytes there, and nobody can tell.
"""

from collections.abc import Callable

import msgspec

from ei.conform.cases import Case
from ei.conform.corpus import Step, Story
from ei.conform.differences import effects_in, shown
from ei.conform.playing import Heard, record
from ei.conform.verdicts import KEPT, NONE, Verdict, broken
from ei.runtime.batches import Item
from ei.sdk import Decision, InstallDecision, Packet, PacketArrived, PassPacket, SendPacket


def check_payload_unread(case: Case) -> Verdict:
    """With empty payloads the same is sent, but for the payloads."""
    if "payload" in case.loaded.manifest.capabilities:
        return NONE
    return _compare(case, _without_payload, _effects_but_payloads)


def check_metadata_unread(case: Case) -> Verdict:
    """With zeros past what decisions match the same is decided."""
    matched = case.loaded.manifest.match_metadata
    if matched is None:
        return NONE

    def zeroed(packet: Packet) -> Packet:
        rest = bytes(len(packet.metadata[matched:]))
        return msgspec.structs.replace(packet, metadata=packet.metadata[:matched] + rest)

    return _compare(case, zeroed, _decisions)


def _compare(
    case: Case, change: Callable[[Packet], Packet], look: Callable[[Heard], list[object]]
) -> Verdict:
    """Play the story with other packets; what is looked at must be the same."""
    other = record(case.loaded, _changed(case.story, change), watch=case.watch)
    for one, two in zip(case.reference.heard, other.heard, strict=True):
        seen, expected = look(two), look(one)
        if seen != expected:
            said = f"with other bytes there {shown(seen)}, where {shown(expected)} was expected"
            return broken(one.sent.first, said)
    return KEPT


def _changed(story: Story, change: Callable[[Packet], Packet]) -> Story:
    def changed(item: Item) -> Item:
        return PacketArrived(change(item.packet)) if isinstance(item, PacketArrived) else item

    steps = (Step(step.after_s, tuple(map(changed, step.items))) for step in story.steps)
    return Story(story.name, story.config, tuple(steps))


def _without_payload(packet: Packet) -> Packet:
    return msgspec.structs.replace(packet, payload=b"")


def _effects_but_payloads(heard: Heard) -> list[object]:
    return [
        msgspec.structs.replace(effect, packet=_without_payload(effect.packet))
        if isinstance(effect, SendPacket | PassPacket)
        else effect
        for _, reply in heard.replies
        for effect in effects_in(reply)
    ]


def _decisions(heard: Heard) -> list[object]:
    return [
        _but_metadata(effect.decision)
        for _, reply in heard.replies
        for effect in effects_in(reply)
        if isinstance(effect, InstallDecision)
    ]


def _but_metadata(decision: Decision) -> Decision:
    return msgspec.structs.replace(
        decision, key=msgspec.structs.replace(decision.key, metadata=b"")
    )
