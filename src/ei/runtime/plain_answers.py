"""The answer that nearly every packet gets, known to be right without being read back.

It is what `forward` makes of one hop that changes nothing: the decision for packets just like the
one that arrived, and that packet itself to the same peer. `ei.runtime.admission` would read it back
and look through it to learn as much, which takes more than twice as long. What the sdk's
annotations say of its parts stands here once more; the tests hold the two against each other.
"""

from ei.sdk import Decision, Effect, Forward, Hop, InstallDecision, Key, Packet, SendPacket
from ei.sdk.decisions import MAX_TAG_BYTES, MAX_TTL_S
from ei.sdk.packets import ADDRESS_BYTES

_NO_STAGES = ()


def is_plain(effects: tuple[Effect, ...], arrived: Packet) -> bool:
    """Whether the effects are that answer, and all of it has its type and is in its range.

    Of other answers this says nothing. Types are exact, since what derives from them may be encoded
    as something else; what is the arrived packet's own was checked when that was read.
    """
    if type(effects) is not tuple or len(effects) != 2:  # noqa: PLR2004 a decision and a copy
        return False
    install, send = effects
    if type(install) is not InstallDecision or type(send) is not SendPacket:
        return False
    decision, to = install.decision, send.to
    if (
        send.packet is not arrived
        or type(to) is not bytes
        or len(to) != ADDRESS_BYTES
        or send.stages is not _NO_STAGES
        or type(decision) is not Decision
        or type(decision.ttl_s) is not float
        or not 0.0 < decision.ttl_s <= MAX_TTL_S
        or type(decision.tag) is not bytes
        or len(decision.tag) > MAX_TAG_BYTES
        or decision.stages is not _NO_STAGES
    ):
        return False
    key, action = decision.key, decision.action
    if type(key) is not Key or type(action) is not Forward or type(action.hops) is not tuple:
        return False
    return (
        key.ingress is arrived.ingress
        and key.source is arrived.source
        and key.connection is arrived.connection
        and key.metadata is arrived.metadata
        and key.egress is arrived.egress
        and key.service is arrived.service
        and len(action.hops) == 1
        and type(hop := action.hops[0]) is Hop
        and hop.to is to
        and hop.metadata is None
        and hop.connection is None
        and hop.source is None
    )
