"""Strings that are nowhere else, planted where a secret goes, and found again in any form. Pure.

What travels is written in many ways: a name as text, as labels of the DNS, in UTF-16; an address as
bytes, in hexadecimal, in base64 at any of three alignments. Each canary is looked for in all forms
that our code and that of others is likely to write.
"""

import base64
import ipaddress
import struct
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b

import msgspec

from ei.errors import LocalError
from ei.records.addresses import format_address
from ei.records.keys import Keys
from ei.sdk.knowledge import Fact
from ei.sdk.packets import Address

MIN_BYTES = 6
"""Shorter ones are in any memory by chance."""
MAX_LABEL = 63
AF_INET = 2
"""As Linux writes it into a socket address."""
PIECE_BYTES = 16_384
"""So much is compared with what was looked through before."""
MAX_PIECES = 1_000_000
GROUP = 3
"""Bytes that base64 writes as four characters."""


class Form(msgspec.Struct, frozen=True):
    """One way to write a canary.

    Attributes:
        name: Such as `utf-8`, `hex`.
        needle: The bytes, at least `MIN_BYTES`; of text in any case they are lower case.
        is_any_case: Upper case is the same.
        is_number: The end of it may be followed, and its beginning preceded, by no digit, or it is
            part of another number: `198.18.0.1` is not `198.18.0.12`.
    """

    name: str
    needle: bytes
    is_any_case: bool = False
    is_number: bool = False


class Canary(msgspec.Struct, frozen=True):
    """Something of which it is to be found out who has it.

    Attributes:
        fact: What somebody knows who has it.
        what: For people, such as `name of the host`; different for each canary.
        forms: Different needles.
    """

    fact: Fact
    what: str
    forms: tuple[Form, ...]


def text_canary(fact: Fact, what: str, text: str) -> Canary:
    """Return the canary of a text, such as a name; in any case, and as the DNS writes it.

    Raises:
        LocalError: too short to be sure of.
    """
    raw = text.lower().encode()
    forms = {"utf-8": raw, "utf-16": text.lower().encode("utf-16-le")}
    labels = [label.encode() for label in text.rstrip(".").split(".")]
    if all(1 <= len(label) <= MAX_LABEL for label in labels):
        forms["dns"] = b"".join(bytes((len(label),)) + label for label in labels)
    return _canary(fact, what, _encoded(text.encode()), any_case={**forms, **_hexed(text.encode())})


def bytes_canary(fact: Fact, what: str, raw: bytes) -> Canary:
    """Return the canary of bytes, such as a key; from the last to the first included.

    Raises:
        LocalError: too short to be sure of.
    """
    forms = {"bytes": raw, "reversed": raw[::-1], **_encoded(raw)}
    return _canary(fact, what, forms, any_case=_hexed(raw))


def address_canary(fact: Fact, what: str, address: Address) -> Canary:
    """Return the canary of an address of ours."""
    raw, text = bytes(address), format_address(address).encode()
    forms = {"bytes": raw, "reversed": raw[::-1], **_encoded(raw)}
    return _canary(fact, what, forms, any_case={"text": text, **_hexed(raw)})


def endpoint_canary(fact: Fact, what: str, endpoint: str) -> Canary:
    """Return the canary of an IPv4 endpoint such as `198.18.0.1:3535`: of its IP address.

    As bytes it is looked for beside its port, as sockets have it: four bytes alone are anywhere.
    """
    ip, _, port = endpoint.rpartition(":")
    packed, number = ipaddress.IPv4Address(ip).packed, int(port)
    forms = [
        Form("text", ip.encode(), is_number=True),
        Form("utf-16", ip.encode("utf-16-le"), is_number=True),
        Form("address, port", packed + struct.pack("!H", number)),
        Form("address, port of this machine", packed + struct.pack("=H", number)),
        Form("sockaddr", struct.pack("=H", AF_INET) + struct.pack("!H", number) + packed),
    ]
    return Canary(fact, what, tuple(forms))


def host_canaries(name: str, keys: Keys, address: Address) -> tuple[Canary, ...]:
    """Return the canaries of who a host is: its name, its address and its public keys.

    Args:
        name: Full name; its first label must be one that is nowhere else.
    """
    return (
        text_canary("client", "name of the host", name.partition(".")[0]),
        address_canary("client", "address of the host", address),
        bytes_canary("client", "identity key of the host", keys.identity_key),
        bytes_canary("client", "pipe key of the host", keys.pipe_key),
    )


class Hit(msgspec.Struct, frozen=True):
    """Where a canary was: `offset` is that of its first byte."""

    canary: Canary
    form: str
    offset: int


class Search:
    """Looks for canaries in one place after another; what it knows already costs little.

    Workers of a node are forks of one process, and most of their memory is the same.

    Args:
        canaries: To be found.
    """

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._forms = [(canary, form) for canary in canaries for form in canary.forms]
        self._overlap = max((len(form.needle) for _, form in self._forms), default=1)
        self._clean: set[bytes] = set()

    def __repr__(self) -> str:
        return f"<Search for {len(self._forms)} forms, {len(self._clean)} pieces known>"

    def find(self, chunks: Iterable[tuple[int, bytes]]) -> Iterator[Hit]:
        """Yield where canaries are in one place, each form once, where it is first.

        Args:
            chunks: Offset and bytes, in order; where one begins at the end of the one before, what
                lies across both is found as well.
        """
        found: set[tuple[str, str]] = set()
        for start, piece, is_last in self._pieces(chunks):
            digest = blake2b(piece, digest_size=16, key=b"last" if is_last else b"").digest()
            if digest in self._clean:
                continue
            hits = list(self._hits(start, piece, is_last=is_last))
            if not hits and len(self._clean) < MAX_PIECES:
                self._clean.add(digest)
            for hit in hits:
                if (hit.canary.what, hit.form) not in found:
                    found.add((hit.canary.what, hit.form))
                    yield hit

    def _pieces(self, chunks: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes, bool]]:
        """Yield offset, bytes from the end of the piece before on, and whether it is the last."""
        tail, end = b"", -1
        for start, chunk in chunks:
            if start != end and tail:
                yield end - len(tail), tail, True
            tail = tail if start == end else b""
            for at in range(0, len(chunk), PIECE_BYTES):
                piece = tail + chunk[at : at + PIECE_BYTES]
                yield start + at - len(tail), piece, False
                tail = piece[-self._overlap :]
            end = start + len(chunk)
        yield end - len(tail), tail, True

    def _hits(self, start: int, piece: bytes, *, is_last: bool) -> Iterator[Hit]:
        lowered = piece.lower()
        for canary, form in self._forms:
            at = _find(lowered if form.is_any_case else piece, form, is_last=is_last)
            if at >= 0:
                yield Hit(canary, form.name, start + at)


def find_canaries(canaries: Iterable[Canary], chunks: Iterable[tuple[int, bytes]]) -> Iterator[Hit]:
    """Yield where canaries are in one place; see `Search.find`."""
    return Search(canaries).find(chunks)


def _find(piece: bytes, form: Form, *, is_last: bool) -> int:
    """Return where a form is; -1 where it is not, or the next piece says whether it is."""
    size = len(form.needle)
    at = piece.find(form.needle)
    while at >= 0 and form.is_number and _is_within_number(piece, at, size, is_last=is_last):
        at = piece.find(form.needle, at + 1)
    return at


def _is_within_number(piece: bytes, at: int, size: int, *, is_last: bool) -> bool:
    following = piece[at + size : at + size + 1]
    is_followed = following.isdigit() or not (following or is_last)
    return is_followed or piece[max(0, at - 1) : at].isdigit()


def _canary(
    fact: Fact, what: str, exact: Mapping[str, bytes], *, any_case: Mapping[str, bytes]
) -> Canary:
    forms = [Form(name, needle, is_any_case=True) for name, needle in any_case.items()]
    forms += [Form(name, needle) for name, needle in exact.items()]
    if short := [form for form in forms if len(form.needle) < MIN_BYTES]:
        raise LocalError(
            f"canary {what}: as {short[0].name} it has {len(short[0].needle)} B,"
            f" needed are {MIN_BYTES} for it to be nowhere else"
        )
    return Canary(fact, what, tuple({form.needle: form for form in reversed(forms)}.values()))


def _hexed(raw: bytes) -> dict[str, bytes]:
    return {"hex": raw.hex().encode()}


def _encoded(raw: bytes) -> dict[str, bytes]:
    """Return base64, wherever it begins."""
    forms: dict[str, bytes] = {}
    for shift in range(GROUP):
        forms[f"base64 at {shift}"] = _inner_base64(raw, shift)
        forms[f"base64url at {shift}"] = _inner_base64(raw, shift, altchars=b"-_")
    return forms


def _inner_base64(raw: bytes, shift: int, altchars: bytes = b"+/") -> bytes:
    """Return those characters of base64 that are the same whatever stands before and after."""
    encoded = base64.b64encode(bytes(shift) + raw, altchars)
    whole = (shift + len(raw)) // GROUP * 4
    return encoded[4 if shift else 0 : whole]
