"""DNS messages as foreign programs write and read them."""

import dns.edns
import dns.message
from dns.message import Message

from ei.ways.dns_messages import Question, read_question


def asked(name: str, kind: str = "AAAA", *, edns_bytes: int | None = 1_232) -> bytes:
    """Return a question."""
    use_edns = None if edns_bytes is None else 0
    return dns.message.make_query(name, kind, use_edns=use_edns, payload=edns_bytes).to_wire()


def question(name: str, kind: str = "AAAA", *, edns_bytes: int | None = 1_232) -> Question:
    """Return a question as it is read."""
    found = read_question(asked(name, kind, edns_bytes=edns_bytes))
    assert isinstance(found, Question)
    return found


def read(wire: bytes) -> Message:
    """Return an answer, parsed by other code than ours."""
    return dns.message.from_wire(wire)


def records(message: Message) -> list[str]:
    """Return the lines of the answer section."""
    return [line for rrset in message.answer for line in rrset.to_text().splitlines()]


def reasons(message: Message) -> list[str]:
    """Return why, in the words of extended errors."""
    return [
        option.text or "" for option in message.options if isinstance(option, dns.edns.EDEOption)
    ]
