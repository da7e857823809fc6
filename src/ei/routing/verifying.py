"""Judges received announcements: each is believed, or refused for one named reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

from ei.routing.announcements import MAX_PATH, Announcement, is_hop_signed
from ei.routing.atlas import Atlas
from ei.routing.memo import Memo
from ei.routing.policy import find_valley
from ei.sdk.packets import Address

MAX_LIFE_S = 3_600

Reason = Literal[
    "malformed",
    "not_neighbour",
    "relation_mismatch",
    "wrong_sender",
    "not_for_us",
    "path_too_long",
    "loop",
    "expired",
    "lives_too_long",
    "unknown_domain",
    "unknown_signer",
    "origin_forged",
    "path_shortened",
    "hop_forged",
    "route_leak",
    "replayed",
    "damped",
    "table_full",
]

REASONS: Mapping[Reason, str] = {
    "malformed": "Not a message or announcement in canonical form, or too large.",
    "not_neighbour": "The policy here names no neighbour of that domain.",
    "relation_mismatch": "The domains' records contradict the policy here: who is whose provider.",
    "wrong_sender": "The last hop is that of another domain than the sender's.",
    "not_for_us": "The last hop names another domain than this one as the next.",
    "path_too_long": f"The path has more than {MAX_PATH} domains.",
    "loop": "A domain is on the path twice, or this one is on it.",
    "expired": "Its expiry is past by the clock here.",
    "lives_too_long": f"Its expiry is more than {MAX_LIFE_S} s ahead by the clock here.",
    "unknown_domain": "A domain on the path has no record here.",
    "unknown_signer": "A hop is signed by a key of which there is no record here.",
    "origin_forged": "What the origin says is not signed by a node of the origin.",
    "path_shortened": "A hop is signed by another domain than the hop before it names.",
    "hop_forged": "The signature of a hop does not hold over the path before it.",
    "route_leak": "The path has a valley, by the providers that the domains' records list.",
    "replayed": "The origin has said something newer before.",
    "damped": "The sender came and went, or lied, too often of late.",
    "table_full": "More routes than this node keeps.",
}
assert tuple(REASONS) == get_args(Reason)  # noqa: S101 one word for each


class Refused(Exception):  # noqa: N818 it says what became of the announcement
    """An announcement is not believed; the message says why. Never leaves this package."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


@dataclass(slots=True)
class VerifierStatistics:
    """How many signatures were verified, and how many were known to be good."""

    verified: int = 0
    verified_before: int = 0


class Verifier:
    """Judges for one node.

    Args:
        own: Number of the node's own domain.
        atlas: What the records say.
        memo: What verified before.
    """

    def __init__(self, own: int, atlas: Atlas, memo: Memo) -> None:
        self._own = own
        self._atlas = atlas
        self._memo = memo
        self.statistics = VerifierStatistics()

    def use(self, atlas: Atlas) -> None:
        """Judge by newer records from now on."""
        self._atlas = atlas

    def check(self, said: Announcement, *, sender: int, unix_s: float) -> tuple[bytes, Address]:
        """Return (digest after the last hop, node of the origin) of an announcement that holds.

        Args:
            sender: The neighbour domain from whom it is.
            unix_s: Now.

        Raises:
            Refused: it does not.
        """
        walk = (*said.path[::-1], self._own)
        signer = self._check_form(said, walk, sender=sender)
        left_s = said.expires_unix_s - unix_s
        if left_s <= 0:
            refuse("expired", f"expired {-left_s:.0f} s ago")
        if left_s > MAX_LIFE_S:
            refuse("lives_too_long", f"lives {left_s:.0f} s more, allowed are {MAX_LIFE_S} s")
        # Before anybody on the path is said to leak, it is certain that they said so.
        digest = self._check_signatures(said)
        self._check_valley(walk)
        return digest, signer

    def check_path(self, said: Announcement, *, sender: int) -> None:
        """Check all but signatures and time, of what held before.

        Raises:
            Refused: the path does not hold by the records of now.
        """
        walk = (*said.path[::-1], self._own)
        _ = self._check_form(said, walk, sender=sender)
        self._check_valley(walk)

    def _check_form(self, said: Announcement, walk: tuple[int, ...], *, sender: int) -> Address:
        if len(said.hops) > MAX_PATH:
            refuse("path_too_long", f"{len(said.hops)} domains, allowed are {MAX_PATH}")
        if said.hops[-1].next != self._own:
            refuse("not_for_us", f"said to {self._name(said.hops[-1].next)}")
        if len(set(walk)) != len(walk):
            refuse("loop", " ".join(map(self._name, walk)))
        signer = self._check_signers(said, walk)
        if walk[-2] != sender:
            refuse("wrong_sender", f"said by {self._name(walk[-2])}")
        return signer

    def _check_valley(self, walk: tuple[int, ...]) -> None:
        if (valley := find_valley(walk, self._atlas)) is not None:
            low, following = map(self._name, valley)
            refuse("route_leak", f"{low} had it from above or beside, and gave it to {following}")

    def _check_signers(self, said: Announcement, walk: tuple[int, ...]) -> Address:
        signers: list[Address] = []
        for domain in walk:
            if domain not in self._atlas.domains:
                refuse("unknown_domain", f"no record of domain {domain}")
        for place, (domain, hop) in enumerate(zip(walk, said.hops, strict=False)):
            known = self._atlas.signer(hop.signer)
            if known is None:
                refuse("unknown_signer", f"no node has the key {hop.signer.hex()[:16]}")
            signer, node = known
            signers.append(node)
            if signer != domain:
                refuse(
                    "path_shortened" if place else "origin_forged",
                    f"signed by {self._name(signer)}, not by {self._name(domain)}",
                )
        return signers[0]

    def _check_signatures(self, said: Announcement) -> bytes:
        """Verify from the last hop back to what is known to be good, then note all that held."""
        digests = said.digests()
        first = next(
            (place for place in range(len(said.hops), 0, -1) if digests[place] in self._memo), 0
        )
        self.statistics.verified_before += first
        for place in range(first, len(said.hops)):
            self.statistics.verified += 1
            if not is_hop_signed(said.hops[place], digests[place]):
                name = self._name((*said.path[::-1],)[place])
                refuse(
                    "hop_forged" if place else "origin_forged",
                    f"the signature of {name} does not hold",
                )
            self._memo.add(digests[place + 1])
        return digests[-1]

    def _name(self, number: int) -> str:
        return self._atlas.name(number)


def refuse(reason: Reason, detail: str) -> NoReturn:
    """Raise `Refused`."""
    raise Refused(reason, detail)
