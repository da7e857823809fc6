"""DNS messages of the stub, pure: which question a message asks, and the message that answers it.

Source: RFC 1035 (messages), 6891 (EDNS), 8914 (extended errors: why, in words).
"""

import re
import struct
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rrset
import dns.wire
import msgspec
from dns.edns import EDECode, EDEOption
from dns.rcode import Rcode
from dns.rdataclass import RdataClass
from dns.rdatatype import RdataType

HEADER = struct.Struct("!HHHHHH")
KIND_AND_CLASS = struct.Struct("!HH")
PLAIN = re.compile(rb"[A-Za-z0-9_-]{1,63}")
MAX_NAME_BYTES = 254
"""Of all labels, without the empty one."""

MIN_UDP_BYTES = 512
MAX_UDP_BYTES = 1_232
"""Of our answers over UDP; see RFC 9715."""
MAX_TEXT = 200
QR = int(dns.flags.QR)
RD = int(dns.flags.RD)
RA = int(dns.flags.RA)
OPCODE = 0x7800
RCODE = 0x000F


class Question(msgspec.Struct, frozen=True, gc=False):
    """The one question of a message.

    Attributes:
        wire: The message as it came.
        name: The name asked for, in small letters, without the dot at its end.
        kind: Number of the type asked for, such as that of AAAA.
        section: Its bytes in the message.
    """

    wire: bytes
    name: str
    kind: int
    is_internet: bool
    section: bytes

    @property
    def owner(self) -> dns.name.Name:
        """The name asked for, as it was written."""
        return dns.wire.Parser(self.wire, HEADER.size).get_name()


class Refused(msgspec.Struct, frozen=True, gc=False):
    """A message that asks nothing that can be answered.

    Attributes:
        word: Why, for counters.
        reply: What to answer; empty for nothing.
    """

    word: str
    reply: bytes = b""


@dataclass(frozen=True, slots=True)
class Said:
    """What is said to a question.

    Attributes:
        records: (type, content as text), all of the name asked for.
        ttl_s: Of the records; where there are none, of that.
        zone: Whose SOA record says for how long there is nothing; empty for no such record.
        code, text: Why, as an extended error; an empty text for none.
        is_own: This server is the one to ask.
    """

    rcode: Rcode = Rcode.NOERROR
    records: tuple[tuple[RdataType, str], ...] = ()
    ttl_s: int = 0
    zone: str = ""
    code: EDECode = EDECode.OTHER
    text: str = ""
    is_own: bool = True


def read_question(wire: bytes) -> Question | Refused:
    """Return what a message asks. Nothing behind the question is looked at."""
    if len(wire) < HEADER.size:
        return Refused("too_short")
    _, flags, questions, *_ = HEADER.unpack_from(wire)
    if flags & QR:
        return Refused("no_question")  # and never an answer to an answer
    if flags & OPCODE:
        return Refused("other_opcode", bare_reply(wire, Rcode.NOTIMP))
    if questions != 1:
        return Refused("malformed", bare_reply(wire, Rcode.FORMERR))
    try:
        name, end = _plain_name(wire) or _any_name(wire)
        kind, group = KIND_AND_CLASS.unpack_from(wire, end)
    except (dns.exception.DNSException, struct.error):
        return Refused("malformed", bare_reply(wire, Rcode.FORMERR))
    section = wire[HEADER.size : end + KIND_AND_CLASS.size]
    return Question(wire, name, kind, group == RdataClass.IN, section)


def _plain_name(wire: bytes) -> tuple[str, int] | None:
    """Return a name of letters and digits, as nearly all are, and where it ends: a quick way."""
    labels: list[bytes] = []
    at = HEADER.size
    while at < len(wire) and (size := wire[at]):
        label = wire[at + 1 : at + 1 + size]
        if not PLAIN.fullmatch(label) or len(label) != size:
            return None
        labels.append(label)
        at += 1 + size
    if at >= len(wire) or not labels or at - HEADER.size > MAX_NAME_BYTES:
        return None
    return b".".join(labels).decode().lower(), at + 1


def _any_name(wire: bytes) -> tuple[str, int]:
    parser = dns.wire.Parser(wire, HEADER.size)
    owner = parser.get_name()
    return owner.to_text(omit_final_dot=True).lower(), parser.current


def is_answer_to(question: Question, wire: bytes) -> bool:
    """Return whether a message from elsewhere answers a question: its number alone says little.

    Servers that could not read the question say so without one.
    """
    if len(wire) < HEADER.size or wire[:2] != question.wire[:2]:
        return False
    _, flags, questions, *_ = HEADER.unpack_from(wire)
    if not flags & QR:
        return False
    if questions == 0:
        return flags & RCODE != Rcode.NOERROR and len(wire) < MIN_UDP_BYTES
    told = wire[HEADER.size : HEADER.size + len(question.section)]
    return questions == 1 and told == question.section


def bare_reply(wire: bytes, rcode: Rcode) -> bytes:
    """Return an answer without a question, to a message that has a whole header."""
    number, flags, *_ = HEADER.unpack_from(wire)
    return HEADER.pack(number, QR | (flags & (OPCODE | RD)) | RA | rcode, 0, 0, 0, 0)


def write_answer(question: Question, said: Said, *, is_udp: bool) -> bytes:
    """Return the message that says it; over UDP it is cut at what the asker takes."""
    try:
        asked = dns.message.from_wire(question.wire, keyring=False, ignore_trailing=True)
        reply = dns.message.make_response(
            asked, recursion_available=True, our_payload=MAX_UDP_BYTES
        )
    except (dns.exception.DNSException, ValueError):  # such as an option of EDNS that is none
        return bare_reply(question.wire, Rcode.FORMERR)
    if asked.edns > 0:
        reply.set_rcode(Rcode.BADVERS)
        return reply.to_wire()
    reply.set_rcode(said.rcode)
    if said.is_own:
        reply.flags |= dns.flags.AA
    for kind, content in said.records:
        reply.answer.append(_rrset(question.owner, said.ttl_s, kind, content))
    if said.zone and not said.records:
        reply.authority.append(_soa(said.zone, said.ttl_s))
    if said.text and asked.edns == 0:
        option = EDEOption(said.code, said.text[:MAX_TEXT])
        reply.use_edns(0, payload=MAX_UDP_BYTES, options=[option])
    limit = max(MIN_UDP_BYTES, min(asked.payload, MAX_UDP_BYTES)) if is_udp else 65_535
    return reply.to_wire(max_size=limit, prefer_truncation=True)


def soa_text(zone: str, ttl_s: int) -> str:
    """Return the content of a zone's SOA record.

    Nobody transfers it: only the last part says something, how long there is nothing.
    """
    return f"{zone}. nobody.invalid. 1 3600 1200 604800 {ttl_s}"


def _soa(zone: str, ttl_s: int) -> dns.rrset.RRset:
    owner = dns.name.from_text(f"{zone}.")
    return _rrset(owner, ttl_s, RdataType.SOA, soa_text(zone, ttl_s))


def _rrset(owner: dns.name.Name, ttl_s: int, kind: RdataType, content: str) -> dns.rrset.RRset:
    rdata = dns.rdata.from_text(RdataClass.IN, kind, content)
    return dns.rrset.from_rdata(owner, ttl_s, rdata)
