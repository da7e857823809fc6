"""Who knows what: what was found at each party, held against the table of the manifest. Pure.

Equal means both ways. A party that has a fact which the table does not give it is a leak; a fact of
the table that nobody found says that the canary is not where it was thought to be, or that the
table promises less than is kept. Parties that work together know what each of them knows: those
rows are printed as well, since no protocol changes them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from ei.lab.canaries import Canary, Hit
from ei.lab.promises import Promise, promise, unsupported
from ei.sdk.knowledge import FACTS, Fact, Knows, Party

NOTHING = "nothing"
MAX_SHOWN = 3
"""Places that are shown for each fact of a party."""

Kind = Literal[
    "memory", "file", "capture", "admin", "metrics", "bugreport", "environment", "command line"
]
"""Where somebody can look who has a party in his hands."""


class Place(msgspec.Struct, frozen=True):
    """Something that was looked through.

    Attributes:
        name: Such as `isp-a/log` or `42 odns [heap] 55d0c000`.
        size_bytes: Of what was read.
        hits: Where canaries were; offsets are within it.
    """

    kind: Kind
    name: str
    size_bytes: int
    hits: tuple[Hit, ...] = ()


class Looked(msgspec.Struct, frozen=True):
    """What was found at one party.

    Attributes:
        places: All that was looked through.
        missing: What could not be, though it should: place and reason. Then nothing is shown.
        excluded: What was left out on purpose: place and reason.
    """

    party: Party
    places: tuple[Place, ...]
    missing: tuple[tuple[str, str], ...] = ()
    excluded: tuple[tuple[str, str], ...] = ()

    @property
    def facts(self) -> tuple[Fact, ...]:
        """What it knows, in the order of the vocabulary."""
        found = {hit.canary.fact for place in self.places for hit in place.hits}
        return tuple(fact for fact in FACTS if fact in found)

    def where(self, fact: Fact) -> tuple[str, ...]:
        """Return where a fact was, each with the canary and its form."""
        return tuple(
            f"{hit.canary.what} ({hit.form}) in {place.kind} {place.name} at {hit.offset}"
            for place in self.places
            for hit in place.hits
            if hit.canary.fact == fact
        )


def joined(before: Looked, now: Looked) -> Looked:
    """Return what was found at one party at two times: all of now, and what had hits before."""
    seen = {(place.kind, place.name) for place in now.places if place.hits}
    earlier = (p for p in before.places if p.hits and (p.kind, p.name) not in seen)
    missing = tuple(dict.fromkeys((*before.missing, *now.missing)))
    return msgspec.structs.replace(now, places=(*now.places, *earlier), missing=missing)


def show(
    looked: Sequence[Looked],
    table: Knows,
    canaries: Iterable[Canary],
    *,
    together: Iterable[tuple[Party, Party]] = (),
) -> Iterator[Promise]:
    """Yield what the table promises, party by party, and what those know who work together.

    Args:
        looked: One for each party.
        table: `[knows]` of a manifest; a party that is looked at and not in it must know nothing.
        canaries: That were planted; each must have been seen by somebody, or it showed nothing,
            and none in a bug report, whoever made it.
        together: Who works together.
    """
    by_party = {each.party: each for each in looked}
    further: list[Party] = [each.party for each in looked if each.party not in table]
    for party in (*table, *further):
        allowed = _words(table.get(party, ()))
        name = f"who knows what: {party}"
        found = by_party.get(party)
        if found is None or found.missing:
            yield msgspec.structs.replace(unsupported(name, "==", allowed), note=_why(found))
        else:
            yield msgspec.structs.replace(
                promise(name, _words(found.facts), "==", allowed), note=_note(found)
            )
    is_whole = {party for party, each in by_party.items() if not each.missing}
    for pair in together:
        both: set[Fact] = {fact for party in pair for fact in table.get(party, ())}
        name = f"who knows what: {' and '.join(pair)} together"
        if is_whole.issuperset(pair):
            known: set[Fact] = {fact for party in pair for fact in by_party[party].facts}
            yield promise(name, _words(known), "==", _words(both))
        else:
            yield unsupported(name, "==", _words(both))
    reported = {
        hit.canary.what
        for each in looked
        for place in each.places
        for hit in place.hits
        if place.kind == "bugreport"
    }
    said = ", ".join(sorted(reported)) or "none"
    yield promise("who knows what: canaries in bug reports, which others read", said, "==", "none")
    seen = {hit.canary.what for each in looked for place in each.places for hit in place.hits}
    unseen = [each.what for each in canaries if each.what not in seen]
    name = "who knows what: canaries that nobody has"
    if unseen and any(each.missing for each in looked):
        yield unsupported(name, "==", "none")
    else:
        yield promise(name, ", ".join(unseen) or "none", "==", "none")


def _words(facts: Iterable[Fact]) -> str:
    known = set(facts)
    return ", ".join(fact for fact in FACTS if fact in known) or NOTHING


def _why(found: Looked | None) -> str:
    if found is None:
        return "nobody looked"
    return "; ".join(f"{place}: {reason}" for place, reason in found.missing)


def _note(found: Looked) -> str:
    """Return where each fact was, how much was looked through, and what was not."""
    lines: list[str] = []
    for fact in found.facts:
        where = found.where(fact)
        more = f" and {len(where) - MAX_SHOWN} more" if len(where) > MAX_SHOWN else ""
        lines.append(f"{fact}: {'; '.join(where[:MAX_SHOWN])}{more}")
    sizes: dict[str, int] = {}
    for place in found.places:
        sizes[place.kind] = sizes.get(place.kind, 0) + place.size_bytes
    looked = ", ".join(f"{size:,} B of {kind}" for kind, size in sizes.items())
    lines.append(f"looked through {looked or NOTHING}")
    lines += [f"excluded {place}: {reason}" for place, reason in found.excluded]
    return "\n".join(lines)
