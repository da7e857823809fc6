"""Law 4: what an event decides takes effect, so the next packet like its own does not miss."""

from typing import cast

import msgspec

from ei._core import DecisionCache
from ei.conform.cases import Case
from ei.conform.corpus import START_S
from ei.conform.differences import effects_in, said_of, shown
from ei.conform.playing import Heard
from ei.conform.verdicts import KEPT, NONE, Verdict, broken
from ei.runtime.batches import Answer, EffectBatch, Outcome
from ei.runtime.loader import LoadedService
from ei.sdk import InstallDecision, Packet, PacketArrived

_NOW_NS = int(START_S * 1e9)


def check_install_first(case: Case) -> Verdict:
    """Hand what each packet led to to a decision cache, and the packet again."""
    has_decided = False
    for heard in case.reference.heard:
        (item,) = heard.sent.items
        installs = _installs_of(heard)
        if not isinstance(item, PacketArrived) or not installs:
            continue
        has_decided = True
        said = _what_is_wrong(case.loaded, item.packet, installs)
        if said:
            return broken(heard.sent.first, said_of(heard, said))
    return KEPT if has_decided else NONE


def _installs_of(heard: Heard) -> tuple[InstallDecision, ...]:
    """Return the decisions of the event itself."""
    return tuple(
        effect
        for _, reply in heard.replies[:1]
        for effect in effects_in(reply)
        if isinstance(effect, InstallDecision)
    )


def _what_is_wrong(
    loaded: LoadedService, packet: Packet, installs: tuple[InstallDecision, ...]
) -> str:
    """Say what is wrong with the decisions of a packet; empty when nothing is."""
    cache, manifest = DecisionCache(entries=1_024, secret=bytes(16)), loaded.manifest
    cache.add_service(
        manifest.id,
        match_metadata=manifest.match_metadata,
        reads_payload="payload" in manifest.capabilities,
        max_objects=manifest.max_objects,
        drop_reasons=list(manifest.drop_reasons),
    )
    batch = EffectBatch(0, cache.epoch, (Answer(Outcome.NONE, "", installs),))
    became = cache.install(_NOW_NS, manifest.id, msgspec.msgpack.encode(batch))
    for install, word in zip(installs, became, strict=True):
        if word != "installed":
            return f"{shown(install.decision)} is {word} by the datapath"
    outcome = cache.decide(
        _NOW_NS,
        packet.service,
        packet.ingress,
        packet.source,
        cast("int", packet.connection),
        packet.metadata,
        packet.egress,
        packet.is_covered,
        len(packet.payload),
        0,
    )
    if outcome[0] == "missing":
        return f"decides {shown(installs[0].decision.key)}, which is not its own packet's key"
    return ""
