"""What the stub says of names under `ei.`, and of addresses under fd35::/16 in reverse; pure.

bob.isp-b.ei.         AAAA   his address            by his record, for as long as that counts
isp-b.ei.                    no records             a domain, under which there are names
nobody.isp-b.ei.             NXDOMAIN               its domain has signed that there is none
nobody.isp-x.ei.             NXDOMAIN               no signed list has that domain
<32 digits>.ip6.arpa. PTR    bob.isp-b.ei.
any of them                  SERVFAIL               the directory does not answer: in words, why
"""

from dataclasses import dataclass

from dns.edns import EDECode
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from ei.records.addresses import format_address
from ei.records.rules import NAME
from ei.sdk.packets import Address
from ei.sdk.signatures import PREFIX
from ei.ways.dns_messages import Question, Said, soa_text
from ei.ways.names import ZONE, to_dns_name, to_name

MAX_TTL_S = 300
"""A key may be revoked before its record ends."""
NOTHING_TTL_S = 5
"""How long it may be believed that there is none: who is new is found soon."""
REVERSE = ".".join(reversed(PREFIX.hex())) + ".ip6.arpa"
DIGITS = 32
MAX_NAME = 200
_OURS = (f".{ZONE}", f".{REVERSE}")


@dataclass(frozen=True, slots=True)
class Known:
    """A host, node or group has the name or address; its record counts for `lifetime_s` more."""

    name: str
    address: Address
    lifetime_s: float


@dataclass(frozen=True, slots=True)
class Unknown:
    """No record answers.

    Attributes:
        is_certain: Who must know has said that there is none.
        is_domain: The name is that of a domain.
        why: One sentence.
    """

    why: str
    is_certain: bool = False
    is_domain: bool = False


Looked = Known | Unknown


def is_ours(question: Question) -> bool:
    """Return whether no other server is to be asked."""
    return f".{question.name}".endswith(_OURS)


def sought(question: Question) -> str | Address | Said:
    """Return the full name or address that a question of ours is about, or what is said at once."""
    if not question.is_internet:
        return Said(Rcode.REFUSED, text="only names of the class IN are here")
    if (name := to_name(question.name)) is not None:
        own, _, domain = name.partition(".")
        can_be = NAME.fullmatch(own) is not None and len(name) <= MAX_NAME
        return name if can_be else _missing(ZONE, f"{own[:32]!r} can be no name in {domain[:64]!r}")
    zone = ZONE if _is_under(question.name, ZONE) else REVERSE
    if question.name == zone:
        return _apex(question, zone)
    digits = question.name.removesuffix(".ip6.arpa").split(".")
    try:
        if all(len(digit) == 1 for digit in digits) and len(digits) <= DIGITS:
            packed = bytes.fromhex("".join(reversed(digits)).ljust(DIGITS, "0"))
            return Address(packed) if len(digits) == DIGITS else _nothing(REVERSE)
    except ValueError:
        pass
    return _missing(REVERSE, "it writes no address")


def say(question: Question, looked: Looked) -> Said:
    """Return what to say when it was looked up."""
    zone = ZONE if _is_under(question.name, ZONE) else REVERSE
    match looked:
        case Known(name=name, address=address, lifetime_s=lifetime_s):
            kind, content = RdataType.AAAA, format_address(address)
            if zone == REVERSE:
                kind, content = RdataType.PTR, f"{to_dns_name(name)}."
            if question.kind not in {kind, RdataType.ANY}:
                return _nothing(zone)
            ttl_s = max(0, min(int(lifetime_s), MAX_TTL_S))
            return Said(records=((kind, content),), ttl_s=ttl_s)
        case Unknown(is_domain=True):
            return _nothing(zone)
        case Unknown(why=why, is_certain=True):
            return _missing(zone, why)
        case Unknown(why=why):
            return Said(Rcode.SERVFAIL, code=EDECode.NO_REACHABLE_AUTHORITY, text=why)


def _apex(question: Question, zone: str) -> Said:
    records = {
        RdataType.SOA: soa_text(zone, NOTHING_TTL_S),
        RdataType.NS: f"{zone}.",
    }
    content = records.get(RdataType.make(question.kind))
    if content is None:
        return _nothing(zone)
    return Said(records=((RdataType.make(question.kind), content),), ttl_s=MAX_TTL_S)


def _nothing(zone: str) -> Said:
    return Said(zone=zone, ttl_s=NOTHING_TTL_S)


def _missing(zone: str, why: str) -> Said:
    return Said(Rcode.NXDOMAIN, zone=zone, ttl_s=NOTHING_TTL_S, text=why)


def _is_under(name: str, zone: str) -> bool:
    return name == zone or name.endswith(f".{zone}")
