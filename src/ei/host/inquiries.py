"""Questions to nodes about packets, pure: what comes back is believed as far as it is proven.

    question = inquiries.ask(node, service, connection)     to be sent to that node
    inquiries.take(node, answer)                            what comes back
    inquiries.account(question.number)                      what is known by now

A statement counts if it answers this question, if the key of the node's record signs it, and if the
node stands where the node before says that the packet went. So no node can speak for another, and
none that is not on the way can speak at all. That a node on the way says the truth of itself is not
proven: a statement says who is to be held to it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ei.attachment import Explain, Explained
from ei.attachment.statements import STATEMENTS, Statement
from ei.errors import IntegrityError
from ei.records.addresses import ADDRESS_BYTES, domain_number_of
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

MAX_OPEN = 16_384
MAX_REFUSALS = 16
MAX_STATEMENTS = 64
"""Of one question: two for each node on the longest way."""
HOP_BYTES = (6, ADDRESS_BYTES)
"""Where a packet went is told as an address, or as the part of it that all of a domain have."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one packet.

    Attributes:
        node: Which node was asked first.
        statements: What nodes say, in the order of the way; each is proven to be theirs.
        refused: Why others do not count, in words.
    """

    node: Address
    statements: tuple[Statement, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def last(self) -> Statement | None:
        """What the furthest node says."""
        return self.statements[-1] if self.statements else None

    @property
    def is_dropped(self) -> bool:
        """Whether a node says that the packet ended there."""
        return self.last is not None and self.last.fate == "dropped"


@dataclass(slots=True)
class _Inquiry:
    node: Address
    question: Explain
    statements: list[Statement] = field(default_factory=list[Statement])
    refused: list[str] = field(default_factory=list[str])
    count: int = 0


class Inquiries:
    """All questions of one host.

    Args:
        address: The host's.
        records: Whose key is whose.
        draw: Returns a random number, 64 bits.

    Attributes:
        dropped: Answers that did not count, by reason.
    """

    def __init__(
        self, address: Address, *, records: Callable[[], RecordSet], draw: Callable[[], int]
    ) -> None:
        self._address = address
        self._records = records
        self._draw = draw
        self._open: dict[int, _Inquiry] = {}
        self.dropped: Counter[str] = Counter()

    def ask(self, node: Address, service: int, connection: int) -> Explain:
        """Return a question about the newest packet of a connection, for the node that got it.

        Of more than 16,384 open questions the oldest is given up.
        """
        question = Explain(self._draw(), self._address, service, connection)
        if len(self._open) >= MAX_OPEN:
            del self._open[next(iter(self._open))]
        self._open[question.number] = _Inquiry(node, question)
        return question

    def take(self, node: Address, answer: Explained) -> bool:
        """Take an answer; return whether it counts. Any bytes: bad ones are counted."""
        inquiry = self._open.get(answer.number)
        if inquiry is None or inquiry.node != node or inquiry.count >= MAX_STATEMENTS:
            self.dropped["not_asked"] += 1
            return False
        inquiry.count += 1
        try:
            self._check(inquiry, answer.statement)
        except IntegrityError as error:
            self.dropped["bad_statement"] += 1
            if len(inquiry.refused) < MAX_REFUSALS:
                inquiry.refused.append(str(error))
            return False
        return True

    def account(self, number: int) -> Account:
        """Return what is known for a question; nothing if it is not open."""
        inquiry = self._open.get(number)
        if inquiry is None:
            return Account(self._address)
        return Account(inquiry.node, tuple(inquiry.statements), tuple(inquiry.refused))

    def close(self, number: int) -> None:
        """Expect no more answers to a question. Idempotent."""
        _ = self._open.pop(number, None)

    def _check(self, inquiry: _Inquiry, envelope: bytes) -> None:
        said, signer = STATEMENTS.open(envelope)
        name = self._records().name_of(said.node)
        asked = inquiry.question
        if said.number != asked.number:
            raise IntegrityError(f"a statement of {name} answers another question")
        if (said.source, said.service, said.connection) != (
            asked.source, asked.service, asked.connection,
        ):  # fmt: skip
            raise IntegrityError(f"a statement of {name} is about another packet")
        record = self._records().nodes.get(said.node)
        if record is None:
            raise IntegrityError(f"a statement of {name}, of which there is no record")
        if record.identity_key != signer:
            raise IntegrityError(f"a statement of {name} is signed by another key than its own")
        before = inquiry.statements[-1] if inquiry.statements else None
        if not _follows(said, before, inquiry.node):
            raise IntegrityError(f"a statement of {name}, which is not the next on the way")
        if before is not None and said.node == before.node and _names_own_domain(before):
            # The domain names no nodes: it has now said more than that the packet went on inside.
            _ = inquiry.statements.pop()
        inquiry.statements.append(said)


def _follows(said: Statement, before: Statement | None, first: Address) -> bool:
    """Return whether a statement comes from where the one before says that the packet went."""
    if before is None:
        return said.node == first
    match before.fate:
        case "forwarded":
            return len(before.to) in HOP_BYTES and said.node.startswith(before.to)
        case "withheld":
            return domain_number_of(said.node) != domain_number_of(before.node)
        case "dropped" | "waiting" | "answered" | "unseen" | "refused":
            return False


def _names_own_domain(said: Statement) -> bool:
    is_domain = len(said.to) < ADDRESS_BYTES
    return said.fate == "forwarded" and is_domain and said.node.startswith(said.to)
