"""Numbered lists: each counts until a newer one comes. Signed by one key, or by several.

    [2, body: canonical msgpack of a list, [[signer: Ed25519 key 32 B, signature 64 B], ...]]

Each signature is over `TAG` and the body exactly as received, as in an envelope of one record. What
may be carried beside records is told apart by its first two bytes: an array of 3, version 2.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import msgspec
from msgspec.structs import astuple, replace

from ei.errors import IntegrityError, LimitError
from ei.records.keys import Keys
from ei.sdk.signatures import is_signed

TAG = b"ei list 1\0"
HEAD = b"\x93\x02"
MAX_LIST_BYTES = 1024 * 1024
MAX_SIGNATURES = 32


class ListedDomain(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One domain of a list: this name, this number and this key belong together.

    Attributes:
        expires_unix_s: Not after the list itself, or the list says nothing of it from then on.
        operator: Who runs it, such as `example-net`; empty, and then not written at all, when it is
            run by nobody who runs another.
    """

    name: str
    number: int
    key: bytes
    expires_unix_s: int
    operator: str = ""


class DomainList(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=6):
    """Governance says which domains there are; signed by so many of its keys as it has agreed on.

    Attributes:
        number: The larger one counts.
        keys: Ed25519 keys of governance from the next list on.
        threshold: How many of them must sign it.
    """

    number: int
    expires_unix_s: int
    keys: tuple[bytes, ...]
    threshold: int
    domains: tuple[ListedDomain, ...]


class RevocationList(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag=7
):
    """A domain says which keys in it count no more, from now on and for the past; signed by it.

    Attributes:
        number: The larger one counts.
        signed_unix_s: When it was true. Readers hold back from a domain whose list grows old.
        keys: Identity keys or pipe keys, in order; its own ends the domain.
    """

    domain: str
    number: int
    signed_unix_s: int
    keys: tuple[bytes, ...]


AnyList = DomainList | RevocationList
BodyT_co = TypeVar("BodyT_co", bound=AnyList, covariant=True)


class _Signature(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    signer: bytes
    signature: bytes


class _Envelope(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: Literal[2]
    body: bytes
    signatures: tuple[_Signature, ...]


_envelopes = msgspec.msgpack.Decoder(_Envelope)
_bodies = msgspec.msgpack.Decoder(AnyList)


@dataclass(frozen=True, slots=True)
class SignedList(Generic[BodyT_co]):
    """A list and the distinct keys whose signatures of it verify."""

    body: BodyT_co
    signers: frozenset[bytes]
    envelope: bytes


def is_list(envelope: bytes) -> bool:
    """Return whether an envelope claims to hold a list, not a record."""
    return envelope.startswith(HEAD)


def seal_list(body: AnyList, signers: Iterable[Keys]) -> bytes:
    """Return the envelope of a list, signed by all `signers`; by nobody yet when there are none.

    Raises:
        LimitError: more than 1 MiB.
    """
    return _seal(_canonical(body), (), signers)


def sign_list(envelope: bytes, keys: Keys) -> bytes:
    """Return the envelope with the signature of one more key; the same when it has signed before.

    Raises:
        IntegrityError: not the envelope of a list.
        LimitError: no room for another signature.
    """
    if keys.identity_key in open_list(envelope).signers:
        return envelope
    opened = _envelopes.decode(envelope)
    others = tuple(each for each in opened.signatures if each.signer != keys.identity_key)
    return _seal(opened.body, others, (keys,))


def open_list(envelope: bytes) -> SignedList[AnyList]:
    """Return a list and who signed it. Whether those may is the caller's question.

    Args:
        envelope: As received, at most 1 MiB.

    Raises:
        IntegrityError: too large, not an envelope, not canonical, or one key signs it twice.
    """
    if len(envelope) > MAX_LIST_BYTES:
        raise IntegrityError(f"list of {len(envelope)} B exceeds the allowed {MAX_LIST_BYTES} B")
    try:
        opened = _envelopes.decode(envelope)
        body = _bodies.decode(opened.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise IntegrityError(f"not a list: {error}") from error
    if len(opened.signatures) > MAX_SIGNATURES:
        raise IntegrityError(
            f"{len(opened.signatures)} signatures of a list, allowed are {MAX_SIGNATURES}"
        )
    claimed = [each.signer for each in opened.signatures]
    if len(set(claimed)) != len(claimed):
        raise IntegrityError("one key signs the list twice")
    if _canonical(body) != opened.body:
        raise IntegrityError("the list is not in canonical form")
    message = TAG + opened.body
    signers = frozenset(
        each.signer for each in opened.signatures if is_signed(message, each.signature, each.signer)
    )
    return SignedList(body, signers, envelope)


def _canonical(body: AnyList) -> bytes:
    """Return the one form of a list; a domain without an operator has the place of none."""
    if not isinstance(body, DomainList):
        return msgspec.msgpack.encode(body)
    head = replace(body, domains=())
    domains = [astuple(domain)[: None if domain.operator else -1] for domain in body.domains]
    return msgspec.msgpack.encode(head)[:-1] + msgspec.msgpack.encode(domains)


def _seal(body: bytes, signatures: tuple[_Signature, ...], signers: Iterable[Keys]) -> bytes:
    new = tuple(_Signature(keys.identity_key, keys.sign(TAG + body)) for keys in signers)
    both = (*signatures, *new)
    if len(both) > MAX_SIGNATURES:
        raise LimitError(f"{len(both)} signatures of a list, allowed are {MAX_SIGNATURES}")
    envelope = msgspec.msgpack.encode(_Envelope(2, body, both))
    if len(envelope) > MAX_LIST_BYTES:
        raise LimitError(f"a list of {len(envelope)} B; allowed are {MAX_LIST_BYTES} B")
    return envelope
