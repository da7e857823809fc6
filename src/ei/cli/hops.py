"""The hops of a traced packet, in words, from what the nodes on its way state of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from ei import _core
from ei.host.verbs_explain import Explained, HopSaid, ModulePart

HOW = {
    "cached": "a cached decision answered; no service ran",
    "decided": "the service decided, in its worker; a decision that it left answers later packets",
    "queued": "it waits for its service, which has not answered yet",
    "dropped": "it was dropped before anything was decided",
}
VERDICTS = {
    "forwarded": "forwarded",
    "answered": "answered",
    "unseen": "has not seen it, or has forgotten it",
    "refused": "its service gives no receipts",
}
REACH = "reach"
"""The service that carries packets whose service does not run at a node."""
HELD = "the service keeps it until the directory answers"


@dataclass(frozen=True, slots=True)
class PartOfHop:
    """What one service did with the packet, at one node.

    Attributes:
        asked_by: `source`, `operator`, `receiver` or `bundle`.
        verdict: `went on`, or what became of the packet there.
    """

    module: str
    asked_by: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Hop:
    """One node on the way.

    Attributes:
        node: Who says so, or who says nothing.
        how: `cached`, `decided`, `queued` or `dropped`; empty where that is not revealed.
        modules: Services that had a say, or should have had, in order, such as `delivery@0.1.0`; a
            bundle that the source named is before the first of its own.
        parts: What each of them did, and who asked for it.
        verdict: What became of the packet here.
        to: Who got it next.
        spent_s: From its arrival until the node was done with it, services included.
        is_signed: The node has signed this, and its record has the key.
        reasons: Who asked for each module, and what `how` and `verdict` mean, in sentences.
    """

    node: str
    how: str
    modules: tuple[str, ...]
    parts: tuple["PartOfHop", ...]
    verdict: str
    to: str
    spent_s: float
    is_signed: bool
    reasons: tuple[str, ...]

    def content(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def hops_of(explained: Explained, *, source: str) -> list[Hop]:
    """Return the hops in order; the last may be a node that says nothing.

    Args:
        source: Name of the host that sent the packet.
    """
    hops = [_hop(said, source) for said in explained.hops]
    last = explained.hops[-1] if explained.hops else None
    silent = explained.node if last is None else last.to if last.fate == "forwarded" else ""
    if silent and not explained.is_whole:
        hops.append(_silent(silent))
    return hops


def _hop(said: HopSaid, source: str) -> Hop:
    return Hop(
        node=said.node,
        how=said.how,
        modules=tuple(part.module for part in said.parts),
        parts=tuple(_parts(said)),
        verdict=_verdict(said),
        to=said.to,
        spent_s=said.spent_us / 1e6,
        is_signed=True,
        reasons=(
            *(_asker(part, said, source) for part in said.parts),
            *_last(said),
            *_happened(said),
        ),
    )


def _silent(name: str) -> Hop:
    return Hop(
        node=name,
        how="",
        modules=(),
        parts=(),
        verdict="says nothing",
        to="",
        spent_s=0.0,
        is_signed=False,
        reasons=(),
    )


def _parts(said: HopSaid) -> Iterable[PartOfHop]:
    """Yield what each service did: a packet goes on from one to the next, until it does not."""
    last = len(said.parts) - 1
    for place, part in enumerate(said.parts):
        is_end = place == last and said.fate != "forwarded"
        yield PartOfHop(part.module, part.asked_by, _verdict(said) if is_end else "went on")


def _verdict(said: HopSaid) -> str:
    if said.fate == "withheld":
        return f"not revealed by {_domain_of(said.node)}"
    return VERDICTS.get(said.fate, said.reason)


def _asker(part: ModulePart, said: HopSaid, source: str) -> str:
    """Say who asked for a module."""
    match part.asked_by:
        case "source":
            return f"{part.module}: named by the source, {source}"
        case "bundle":
            named = next((each.module for each in said.parts if each.asked_by == "source"), "")
            return f"{part.module}: of the bundle {named}"
        case "operator" if part.module.partition("@")[0] == REACH:
            return f"{part.module}: its service does not run at {said.node}, but further on"
        case "operator":
            domain = _domain_of(said.node)
            return f"{part.module}: interposed by the operator of {domain} (node.toml)"
        case _:
            return f"{part.module}: a guard that the receiver, {said.to}, asked for"


def _last(said: HopSaid) -> Iterable[str]:
    """Say with whom of several it ended."""
    if len(said.parts) > 1 and said.fate != "forwarded":
        yield f"{said.parts[-1].module}: it came as far as this, and no further"


def _happened(said: HopSaid) -> Iterable[str]:
    if said.how:
        yield HOW.get(said.how, said.how)
    if said.reason == "held":
        yield HELD
    explanation = dict(_core.reasons()).get(said.reason)
    if explanation is not None:
        yield f"{said.reason}: {explanation.strip()}"


def _domain_of(node: str) -> str:
    return node.partition(".")[2]
