"""A DNS message without what tells who asks: two askers differ in the question alone.

Options of EDNS are kept from a short list alone. Others tell who asks (cookies, client subnets), or
which device does (what some home routers add), and new ones come every year.
"""

import struct

UDP_BYTES = 1_232
"""What everybody says that it takes over UDP; see RFC 9715."""

_HEADER = struct.Struct("!HHHHHH")
_FLAGS = 0x0130
"""RD, AD and CD: what an asker may want."""

_RECORD = struct.Struct("!HHIH")
_OPTION = struct.Struct("!HH")
_OPT = 41
_DO = 0x8000
_KEPT = {3, 5, 6, 7}
"""NSID (RFC 5001), and which algorithms of DNSSEC are understood (RFC 6975)."""

_KIND_AND_CLASS_BYTES = 4


def anonymous(dns: bytes) -> bytes:
    """Return a question as anybody would ask it: with the number 0, and few options.

    Raises:
        ValueError: It is no question, or has records beside its options, which might tell anything.
    """
    try:
        _, flags, questions, *others, additional = _HEADER.unpack_from(dns)
        if questions != 1 or any(others) or additional > 1:
            raise ValueError("a question with further records does not go by others")
        head = _HEADER.pack(0, flags & _FLAGS, 1, 0, 0, additional)
        at = _end_of_question(dns)
        return head + dns[_HEADER.size : at] + (_options(dns, at) if additional else b"")
    except (struct.error, IndexError) as error:
        raise ValueError("a message that ends too early") from error


def _end_of_question(dns: bytes) -> int:
    at = _HEADER.size
    while dns[at]:
        at += 1 + dns[at]
    return at + 1 + _KIND_AND_CLASS_BYTES


def _options(dns: bytes, at: int) -> bytes:
    kind, _, flags, length = _RECORD.unpack_from(dns, at + 1)
    if dns[at] or kind != _OPT:
        raise ValueError("a question with further records does not go by others")
    at += 1 + _RECORD.size
    end = at + length
    kept = b""
    while at < end:
        code, option_length = _OPTION.unpack_from(dns, at)
        after = at + _OPTION.size + option_length
        if after > min(end, len(dns)):
            raise ValueError("an option of EDNS that ends too early")
        kept += dns[at:after] if code in _KEPT else b""
        at = after
    return b"\0" + _RECORD.pack(_OPT, UDP_BYTES, flags & _DO, len(kept)) + kept
