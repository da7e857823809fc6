"""Which release of a service a node runs: the newest whose share it is in.

1.2.0  share 0.05, this node at 0.31   not here
1.1.0  share 1.0                       this one
1.0.0  revoked                         never
"""

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from hashlib import sha256

from ei.registry.releases import Release
from ei.sdk.packets import Address

_PLACE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a node is to do about one service: run `release`, stop it for a reason, or go on."""

    release: Release | None = None
    stop: str = ""


def place_of(node: Address, digest: str) -> float:
    """Return where a node is among all, for one release: from 0 up to 1, by hash.

    With a share of 0.05 those below it run the release, another twentieth for each one.
    """
    drawn = sha256(node + digest.encode()).digest()[:_PLACE_BYTES]
    return int.from_bytes(drawn) / (1 << 8 * _PLACE_BYTES)


def takes(node: Address, release: Release) -> bool:
    """Whether a node is among those that should run a release."""
    return place_of(node, release.digest) < release.share


def choose(  # noqa: PLR0913 all that is known of a service
    releases: Iterable[Release],
    *,
    node: Address,
    running: str,
    is_from_file: bool = False,
    is_doubtful: bool = False,
    given_up: Container[str],
) -> Wanted:
    """Return what a node is to do about one service.

    Args:
        releases: Of that service: approved ones, revoked ones among them.
        node: Its address.
        running: Digest of what runs; empty when nothing does.
        is_from_file: What runs is what node.toml names, which the registry need not know.
        is_doubtful: Further releases are approved and do not count, since a file is withheld, or
            has ended: what runs may be one of them. Then it goes on to run.
        given_up: Digests of what had too many errors here, or did not live.
    """
    known = list(releases)
    if is_doubtful and running and all(each.digest != running for each in known):
        return Wanted()
    fit = [
        each
        for each in known
        if not each.is_revoked and each.digest not in given_up and takes(node, each)
    ]
    if fit:
        newest = max(fit, key=lambda each: version_key(each.version))
        return Wanted(None if newest.digest == running else newest)
    now = next((each for each in known if each.digest == running), None)
    if now is not None and now.is_revoked:
        return Wanted(stop=f"{now} is revoked: {now.revoked}")
    if now is None and running and not is_from_file:
        return Wanted(stop=f"{running} is not approved any more")
    return Wanted()


def version_key(version: str) -> tuple[object, ...]:
    """Return a key by which versions sort as Semantic Versioning 2.0.0 (semver.org) says, item 11.

    What follows a plus sign does not count.
    """
    core, _, before = version.partition("+")[0].partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    # A version without a word behind it comes after all that have one.
    words = tuple(_word_key(word) for word in before.split(".")) if before else ()
    return numbers, not before, words


def _word_key(word: str) -> tuple[bool, int, str]:
    is_number = re.fullmatch("[0-9]+", word) is not None
    return not is_number, int(word) if is_number else 0, word
