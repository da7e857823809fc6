"""What a domain announces of itself, and what each domain on the way adds: a signed path vector.

    [origin u32, sequence u64, expires u32, [[service, major, minor, patch], ...],
     [[next u32, signer 32 B, signature 64 B], ...]]

In canonical msgpack, at most 20_480 bytes. The first hop is the origin's own; hop i is signed by a
node of the domain that hop i - 1 named as the next. With

    digest 0     = SHA-256(`ei route 1` 00 | the first four fields as msgpack, an array)
    digest i + 1 = SHA-256(digest i | next u32 big-endian | signer | signature)

the signature of hop i is Ed25519 over `ei route hop 1` 00 | digest i | next u32 big-endian. So it
covers what the origin said, the path so far with all its signatures, and to whom it is said.
"""

import hashlib
from itertools import pairwise
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta

from ei.errors import IntegrityError
from ei.records.keys import Keys
from ei.sdk.signatures import is_signed

MAX_ANNOUNCEMENT_BYTES = 20_480
MAX_PATH = 32
"""Domains on a path, the origin included; the Internet's longest are half as long."""
MAX_OFFERS = 1_024
TAG = b"ei route 1\0"
HOP_TAG = b"ei route hop 1\0"

DomainNumber = Annotated[int, Meta(ge=1, le=2**32 - 1)]
Part = Annotated[int, Meta(ge=0, le=65_535)]
Version = tuple[int, int, int]


class Offer(
    msgspec.Struct, frozen=True, order=True, gc=False, array_like=True, forbid_unknown_fields=True
):
    """A service that a domain offers, and one version of it."""

    service: Annotated[int, Meta(ge=2, le=2**32 - 1)]
    major: Part = 0
    minor: Part = 0
    patch: Part = 0

    @property
    def version(self) -> Version:
        """Major, minor, patch."""
        return self.major, self.minor, self.patch


class Hop(msgspec.Struct, frozen=True, gc=False, array_like=True, forbid_unknown_fields=True):
    """One domain says the announcement to the next.

    Attributes:
        next: To whom it is said.
        signer: Ed25519 key of a node of the domain that says it.
    """

    next: DomainNumber
    signer: Annotated[bytes, Meta(min_length=32, max_length=32)]
    signature: Annotated[bytes, Meta(min_length=64, max_length=64)]


class Announcement(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """A way to `origin`.

    Attributes:
        sequence: Of the node of the origin that says it: max(last + 1, Unix microseconds).
        expires_unix_s: At most 1 h ahead.
        offers: In ascending order, each once.
        hops: The origin's first.
    """

    origin: DomainNumber
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    expires_unix_s: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    offers: tuple[Offer, ...] = ()
    hops: tuple[Hop, ...] = ()

    @property
    def path(self) -> tuple[int, ...]:
        """The domains that it passed, the nearest first, the origin last."""
        return (*(hop.next for hop in self.hops[-2::-1]), self.origin)

    def digests(self) -> list[bytes]:
        """Return digest 0 to the one after the last hop: one more than there are hops."""
        said = msgspec.msgpack.encode(
            (self.origin, self.sequence, self.expires_unix_s, self.offers)
        )
        digests = [hashlib.sha256(TAG + said).digest()]
        for hop in self.hops:
            digests.append(_next_digest(digests[-1], hop))
        return digests


_announcements = msgspec.msgpack.Decoder(Announcement)


def read_announcement(received: bytes) -> Announcement:
    """Return what the bytes say. Nothing is verified but their form.

    Raises:
        IntegrityError: too long, not an announcement, or not in canonical form.
    """
    if len(received) > MAX_ANNOUNCEMENT_BYTES:
        raise IntegrityError(
            f"announcement of {len(received)} B exceeds the allowed {MAX_ANNOUNCEMENT_BYTES} B"
        )
    try:
        read = _announcements.decode(received)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"not an announcement: {error}") from error
    if not read.hops:
        raise IntegrityError("the announcement has no hop: nobody says it")
    if len(read.offers) > MAX_OFFERS:
        raise IntegrityError(f"it offers {len(read.offers)} services, allowed are {MAX_OFFERS}")
    if any(a >= b for a, b in pairwise(read.offers)):
        raise IntegrityError("its services are not in ascending order, each once")
    if msgspec.msgpack.encode(read) != received:
        raise IntegrityError("the announcement is not in canonical form")
    return read


class Signer:
    """Signs hops for one node; what was signed a moment ago is not signed again.

    Ed25519 signatures follow from key and message, so that is only a matter of time: several nodes
    of one neighbour are told the same.
    """

    def __init__(self, keys: Keys) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(keys.identity_secret)
        self._signer = keys.identity_key
        self._recent: dict[bytes, bytes] = {}
        self.signed = 0

    def extend(self, said: Announcement, digest: bytes, *, to: int) -> bytes:
        """Return the bytes of `said` with one more hop.

        Args:
            digest: The last of `said.digests()`.
            to: Number of the next domain.
        """
        message = _message(digest, to)
        signature = self._recent.get(message)
        if signature is None:
            signature = self._key.sign(message)
            self.signed += 1
            if len(self._recent) >= MAX_RECENT:
                self._recent.clear()
            self._recent[message] = signature
        hop = Hop(to, self._signer, signature)
        return msgspec.msgpack.encode(msgspec.structs.replace(said, hops=(*said.hops, hop)))


MAX_RECENT = 256


def is_hop_signed(hop: Hop, digest: bytes) -> bool:
    """Return whether the hop's signature holds over what came before it."""
    return is_signed(_message(digest, hop.next), hop.signature, hop.signer)


def read_version(text: str) -> Version:
    """Return major, minor and patch of a semantic version; what follows them is not announced."""
    parts = [int(part) for part in text.partition("-")[0].partition("+")[0].split(".")]
    major, minor, patch = (min(part, 65_535) for part in (*parts, 0, 0, 0)[:3])
    return major, minor, patch


def _message(digest: bytes, to: int) -> bytes:
    return HOP_TAG + digest + to.to_bytes(4, "big")


def _next_digest(digest: bytes, hop: Hop) -> bytes:
    parts = (digest, hop.next.to_bytes(4, "big"), hop.signer, hop.signature)
    return hashlib.sha256(b"".join(parts)).digest()
