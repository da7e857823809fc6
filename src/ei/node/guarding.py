"""What stands before the pipe to each peer: what its receiver has signed, what the operator wants.

    operator   node.toml, [guards]                            before a host, or another node
    receiver   its attachment, signed, from the record file,  before itself
               or in a `Guard` as soon as its pipe is up

The operator's come first. A guard never fails open: while one does not run here, or there are more
than the datapath takes, what is for the host is dropped.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from ei.errors import IntegrityError
from ei.records.addresses import domain_number_of, make_address
from ei.records.envelope import open_record
from ei.records.fields import Refused, check_guards
from ei.records.kinds import AttachmentRecord
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address

MAX_GUARDS = 8
MAX_GUARDED = 4_096
"""Hosts that have signed guards over their pipes; what they say after that is refused."""
CLOSED = (1,)
"""The number of the control channel: no service that runs ever has it."""

SetGuards = Callable[[bytes, list[int]], object]


class Guarding:
    """The guards of one node.

    Args:
        own: Address of the node.
        set_guards: Of the datapath.

    Attributes:
        refused: Attachments that hosts sent and that do not count, by reason.
    """

    def __init__(self, own: Address, set_guards: SetGuards) -> None:
        self._own = own
        self._set_guards = set_guards
        self._operators: Mapping[Address, tuple[int, ...]] = {}
        self._recorded: Mapping[Address, AttachmentRecord] = {}
        self._said: dict[Address, AttachmentRecord] = {}
        self._told: dict[Address, tuple[int, ...]] = {}
        self.refused: Counter[str] = Counter()

    def use(
        self,
        records: RecordSet,
        operators: Mapping[Address, tuple[int, ...]],
        peers: Collection[Address],
    ) -> None:
        """Go over to other records, other guards of the operator, or other peers."""
        self._operators = operators
        self._recorded = {
            host: record
            for host, record in records.attachments.items()
            if record.guards is not None and self._own in record.nodes
        }
        self._said = {host: record for host, record in self._said.items() if host in peers}
        for peer in dict.fromkeys((*self._told, *operators, *self._recorded, *self._said)):
            self._tell(peer)

    def take(self, host: Address, envelope: bytes, *, unix_s: float) -> None:
        """Take what a host has signed, which came by its own pipe."""
        try:
            record = self._opened(host, envelope, unix_s=unix_s)
        except (IntegrityError, Refused) as error:
            self.refused[error.word] += 1
            return
        known = self._said.get(host)
        if known is None and len(self._said) >= MAX_GUARDED:
            self.refused["too_many_guarded"] += 1
        elif known is not None and known.sequence >= record.sequence:
            self.refused["older"] += 1
        else:
            self._said[host] = record
            self._tell(host)

    def wanted_by(self, receiver: bytes) -> tuple[int, ...]:
        """Return the guards that a receiver has asked for itself; of all, if it is not known."""
        host = Address(receiver)
        if not host:
            every = {**self._recorded, **self._said}
            return tuple({guard for each in every for guard in self.wanted_by(each)})
        newest = max(
            (each for each in (self._recorded.get(host), self._said.get(host)) if each is not None),
            key=lambda record: record.sequence,
            default=None,
        )
        return () if newest is None else newest.guards or ()

    def _tell(self, peer: Address) -> None:
        guards = tuple(dict.fromkeys((*self._operators.get(peer, ()), *self.wanted_by(peer))))
        if len(guards) > MAX_GUARDS:
            self.refused["too_many_guards"] += 1
            guards = CLOSED
        if self._told.get(peer, ()) == guards:
            return
        _ = self._set_guards(peer, list(guards))
        if guards:
            self._told[peer] = guards
        else:
            del self._told[peer]

    def _opened(self, host: Address, envelope: bytes, *, unix_s: float) -> AttachmentRecord:
        record, signer = open_record(envelope)
        if not isinstance(record, AttachmentRecord) or record.host != host:
            raise Refused("not_its_own", "a host that speaks for another")
        if make_address(domain_number_of(host), signer) != host:
            raise Refused("wrong_signer", "an attachment that its host has not signed")
        if record.expires_unix_s <= unix_s:
            raise Refused("expired", "an attachment whose time is over")
        if self._own not in record.nodes:
            raise Refused("unknown_node", "an attachment to other nodes")
        check_guards(record.guards)
        return record
