"""What a node tells of packets, and to whom: signed, and no more than its operator wants.

    source             first node           next node           ...
       | --- Explain ---> |                     |
       | <-- Explained -- | ----- Explain ----> |
       | <------------ Explained -------------- |

Only who handed a packet to this node may ask about it here. So a question goes the way that the
packet went, and the answers come back along it. Who asks about a packet that came from another is
told what is told of a packet that never came.

What a domain reveals is its operator's choice. `hops`: each node speaks for itself. `domain`: the
node where a packet enters says what became of it in the domain, and names no other node. `nothing`:
the same node says that it does not say. Nodes of other domains speak for themselves in any case.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ei.attachment import Explain, Explained, encode
from ei.attachment.statements import STATEMENTS, Fate, Statement
from ei.bundles import Rows
from ei.errors import IntegrityError
from ei.node.askers import WantedBy, parts_of
from ei.node.traces import Flow, Passage, Traces
from ei.records.addresses import domain_number_of
from ei.records.keys import Keys
from ei.records.record_set import RecordSet
from ei.sdk.manifest import Manifest
from ei.sdk.packets import Address

Explains = Literal["hops", "domain", "nothing"]

MAX_WAITING = 4_096
WAIT_S = 5.0
MAX_ANSWERS = 32
"""Handed on for one question; a packet passes no more nodes than its hop limit."""

HOST_RATE = 200.0
NODE_RATE = 1_000.0
"""Questions a second that a peer may ask, and at once. An answer is a signature: 0.1 ms."""

MAX_US = 2**32 - 1
DOMAIN_PREFIX_BYTES = 6
WAITING = ("missed", "held", "passed")


@dataclass(slots=True)
class _Asked:
    """A question that was handed on."""

    asker: Address
    question: Explain
    expires_s: float
    answers: int = 0


@dataclass(slots=True)
class _Allowance:
    questions: float
    at_s: float


@dataclass(frozen=True, slots=True)
class ExplainingStatistics:
    """What was asked here and answered, and what was handed on, since the start."""

    answered: int
    handed_on: int


class Explaining:
    """Answers questions about packets at one node, and hands them on.

    Args:
        keys: That sign.
        address: The node's.
        traces: What is remembered.
        manifests: Of the services that run here.
        bundles: That are expanded here, by number.
        wanted_by: Returns the guards that a receiver has asked for.

    Attributes:
        explains: What is revealed.
        refused: Questions and answers that came to nothing, by reason.
    """

    def __init__(  # noqa: PLR0913 all that it tells of
        self,
        keys: Keys,
        address: Address,
        *,
        traces: Traces,
        manifests: Mapping[int, Manifest],
        bundles: Mapping[int, Rows],
        wanted_by: WantedBy = lambda _: (),
        explains: Explains = "hops",
    ) -> None:
        self._keys = keys
        self._address = address
        self.explains: Explains = explains
        self._traces = traces
        self._manifests = manifests
        self._wanted_by = wanted_by
        self._bundles = bundles
        self._waiting: dict[tuple[Address, int], _Asked] = {}
        self._allowances: dict[Address, _Allowance] = {}
        self._answered = 0
        self._handed_on = 0
        self.refused: Counter[str] = Counter()

    def statistics(self) -> ExplainingStatistics:
        """Return counts since the start."""
        return ExplainingStatistics(self._answered, self._handed_on)

    def take(
        self, now_s: float, sender: Address, message: Explain | Explained, *, records: RecordSet
    ) -> list[tuple[Address, bytes]]:
        """Take a question or an answer of a peer; return the messages to send, each to a peer.

        Args:
            now_s: Of any clock; it may jump.
        """
        match message:
            case Explain():
                return self._answer(now_s, sender, message, records)
            case Explained():
                return self._hand_on(now_s, sender, message, records)

    def _answer(
        self, now_s: float, sender: Address, question: Explain, records: RecordSet
    ) -> list[tuple[Address, bytes]]:
        if not self._is_allowed(now_s, sender, rate=_rate(sender, records)):
            self.refused["asked_too_often"] += 1
            return []
        self._answered += 1
        if not self._gives_receipts(question.service):
            return [self._say(sender, question, "refused")]
        flow = Flow(question.source, question.service, question.connection)
        passage = self._traces.newest(flow, ingress=sender)
        if passage is None:
            return [self._say(sender, question, "unseen")]
        said = [self._tell(sender, question, passage, records)]
        following = Address(passage.to)
        # What a host has received it says itself, end to end.
        if passage.verdict == "forwarded" and following in records.nodes:
            if self._wait(now_s, sender, following, question):
                said.append((following, encode(question)))
            else:
                self.refused["asked_twice"] += 1
        return said

    def _gives_receipts(self, service: int) -> bool:
        """Whether a service does, or all of a bundle."""
        rows = self._bundles.get(service)
        numbers = {service} if rows is None else rows.visited | rows.behind
        manifests = (self._manifests.get(number) for number in numbers)
        return all(manifest is None or manifest.receipts for manifest in manifests)

    def _wait(self, now_s: float, sender: Address, following: Address, question: Explain) -> bool:
        while self._waiting:
            oldest, asked = next(iter(self._waiting.items()))
            if asked.expires_s > now_s and len(self._waiting) < MAX_WAITING:
                break
            del self._waiting[oldest]
        key = (following, question.number)
        if key in self._waiting:
            return False
        self._waiting[key] = _Asked(sender, question, now_s + WAIT_S)
        return True

    def _hand_on(
        self, now_s: float, sender: Address, answer: Explained, records: RecordSet
    ) -> list[tuple[Address, bytes]]:
        asked = self._waiting.get((sender, answer.number))
        if asked is None or asked.expires_s <= now_s:
            self.refused["not_asked"] += 1
            return []
        asked.answers += 1
        if asked.answers > MAX_ANSWERS:
            self.refused["answered_too_often"] += 1
            return []
        self._handed_on += 1
        if self.explains == "hops":
            return [(asked.asker, encode(answer))]
        return self._speak_for(asked, answer, records)

    def _speak_for(
        self, asked: _Asked, answer: Explained, records: RecordSet
    ) -> list[tuple[Address, bytes]]:
        """Say in the own name what another node of this domain says; leave other domains' as is."""
        try:
            said, signer = STATEMENTS.open(answer.statement)
        except IntegrityError:
            self.refused["bad_statement"] += 1
            return []
        if domain_number_of(said.node) != domain_number_of(self._address):
            return [(asked.asker, encode(answer))]
        record = records.nodes.get(said.node)
        if record is None or record.identity_key != signer or not _is_about(said, asked.question):
            self.refused["bad_statement"] += 1
            return []
        if self.explains == "nothing":
            return []
        to = _domain_of(said.to, records)
        return [self._say(asked.asker, asked.question, said.fate, reason=said.reason, to=to)]

    def _tell(
        self, asker: Address, question: Explain, passage: Passage, records: RecordSet
    ) -> tuple[Address, bytes]:
        if self.explains == "nothing":
            return self._say(asker, question, "withheld")
        fate, reason = _fate(passage.verdict)
        if self.explains == "domain":
            to = _domain_of(passage.to, records)
            return self._say(asker, question, fate, reason=reason, to=to)
        is_to_node = passage.to in records.nodes
        return self._say(
            asker, question, fate, reason=reason, to=passage.to, passage=passage,
            is_to_node=is_to_node,
        )  # fmt: skip

    def _say(  # noqa: PLR0913 as many as a statement has parts
        self,
        asker: Address,
        question: Explain,
        fate: Fate,
        *,
        reason: str = "",
        to: bytes = b"",
        passage: Passage | None = None,
        is_to_node: bool = False,
    ) -> tuple[Address, bytes]:
        numbers = () if passage is None else passage.numbers
        statement = Statement(
            node=self._address,
            number=question.number,
            source=question.source,
            service=question.service,
            connection=question.connection,
            fate=fate,
            reason=reason,
            to=to,
            how="" if passage is None else passage.how,
            spent_us=0 if passage is None else min(passage.spent_ns // 1_000, MAX_US),
            parts=parts_of(
                question.service,
                numbers,
                guards=() if is_to_node else self._wanted_by(to),
                bundles=self._bundles,
                title=lambda number: self._traces.module(number).title,
            ),
        )
        sealed = STATEMENTS.seal(statement, self._keys)
        return asker, encode(Explained(question.number, sealed))

    def _is_allowed(self, now_s: float, peer: Address, *, rate: float) -> bool:
        allowance = self._allowances.get(peer)
        if allowance is None:
            if len(self._allowances) >= MAX_WAITING:
                del self._allowances[next(iter(self._allowances))]
            allowance = self._allowances[peer] = _Allowance(rate, now_s)
        grown = max(0.0, now_s - allowance.at_s) * rate
        allowance.questions = min(rate, allowance.questions + grown)
        allowance.at_s = now_s
        if allowance.questions < 1.0:
            return False
        allowance.questions -= 1.0
        return True


def _fate(verdict: str) -> tuple[Fate, str]:
    if verdict == "forwarded":
        return "forwarded", ""
    if verdict in WAITING:
        return "waiting", verdict
    if verdict in ("answered", "delivered", "consumed"):
        return "answered", ""
    return "dropped", verdict


def _domain_of(to: bytes, records: RecordSet) -> bytes:
    """Return what all in the domain of a node have; a host is told, who sent to it knows it."""
    return to[:DOMAIN_PREFIX_BYTES] if to in records.nodes else to


def _is_about(said: Statement, question: Explain) -> bool:
    asked = (question.number, question.source, question.service, question.connection)
    return (said.number, said.source, said.service, said.connection) == asked


def _rate(peer: Address, records: RecordSet) -> float:
    return NODE_RATE if peer in records.nodes else HOST_RATE
