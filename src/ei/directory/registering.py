"""Attachments: from a host to its node, from there to its home directories, and kept there."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from ei.directory.authority import Authority
from ei.directory.handing import Handed, Handing, HandingStatistics
from ei.directory.messages import Message, Registered
from ei.directory.places import Places
from ei.directory.statements import Open, word_of
from ei.errors import IntegrityError, LimitError
from ei.records.addresses import domain_number_of, make_address
from ei.records.fields import Refused, refuse
from ei.records.kinds import AttachmentRecord
from ei.sdk.packets import Address

MAX_HOSTS = 65_536
OVERLAP_S = 5.0
"""What a sibling may have been told and lost when it went down: older than that it has kept."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What is registered with the next commit, and who brought it."""

    sender: Address
    record: AttachmentRecord
    envelope: bytes
    is_new: bool


class Registering:
    """Both ends of it; a directory of the home domain hands on to its siblings what they missed.

    Args:
        authority: Keeps the attachments of the own domain, if this node answers for it.
        handing: Repeats what directories have not answered.
        send: Takes what is to be sent to whom.
        count: Takes the word of each refusal.
        open_envelope: Opens signed records.

    Attributes:
        staged: What `commit` writes down.
        deadlines: When `poll` has something to do.
    """

    def __init__(
        self,
        *,
        authority: Authority,
        handing: Handing,
        send: Callable[[Address, Message], None],
        count: Callable[[str], None],
        open_envelope: Open,
    ) -> None:
        self._authority = authority
        self._handing = handing
        self.deadlines = handing.deadlines
        self._send = send
        self._count = count
        self._open_envelope = open_envelope
        self._hosts: OrderedDict[Address, int] = OrderedDict()
        self._down_since_s: dict[Address, float] = {}
        self.staged: list[Staged] = []

    def __repr__(self) -> str:
        return f"<Registering, {len(self._hosts)} hosts wait, {self._handing!r}>"

    def take_of_host(
        self, host: Address, envelope: bytes, places: Places, *, now_s: float, unix_s: float
    ) -> None:
        """Take what a host says of itself."""
        try:
            record = self._opened(envelope)
            if record.host != host:
                refuse("not_its_own", "a host that registers another")
        except (IntegrityError, Refused) as refused:
            self._count(word_of(refused))
            self._send(host, Registered(host, 0, word_of(refused)))
            return
        number = domain_number_of(host)
        if places.is_directory and places.is_own_number(number):
            self._keep(host, envelope, record, now_s=now_s, unix_s=unix_s)
            return
        directories = places.directories_of(number)
        if not directories:
            self._refuse(host, record, "no_directory")
            return
        self._hosts[host] = record.sequence
        self._hosts.move_to_end(host)
        if len(self._hosts) > MAX_HOSTS:
            _ = self._hosts.popitem(last=False)
        self._hand(record, envelope, directories, now_s=now_s, unix_s=unix_s)

    def take_of_node(
        self, node: Address, envelope: bytes, places: Places, *, now_s: float, unix_s: float
    ) -> None:
        """Take what a node hands over."""
        try:
            record = self._opened(envelope)
        except (IntegrityError, Refused) as refused:
            self._count(word_of(refused))
            return
        if not places.is_directory or not places.is_own_number(domain_number_of(record.host)):
            self._refuse(node, record, "not_a_directory")
            return
        self._keep(node, envelope, record, now_s=now_s, unix_s=unix_s)

    def commit(self, places: Places, *, now_s: float, unix_s: float) -> list[Address]:
        """Have on disk what was registered since the last time, and say so; return whose is new."""
        staged, self.staged = self.staged, []
        if not self._authority.commit():
            for each in staged:
                self._refuse(each.sender, each.record, "store_full")
            return []
        siblings = tuple(each for each in places.directories if places.is_sibling(each))
        for each in staged:
            record = each.record
            self._send(each.sender, Registered(record.host, record.sequence))
            if each.is_new and each.sender == record.host:
                self._hand(record, each.envelope, siblings, now_s=now_s, unix_s=unix_s)
        return list(dict.fromkeys(each.record.host for each in staged if each.is_new))

    def take_registered(self, node: Address, message: Registered, *, now_s: float) -> None:
        """Take a directory's answer; the first one goes to the host."""
        host = Address(message.host)
        if not self._handing.take_registered(node, host, message.sequence, now_s=now_s):
            self._count("unasked")
            return
        if message.reason:
            self._count(message.reason)
        if self._hosts.get(host) == message.sequence:
            del self._hosts[host]
            self._send(host, message)

    def peer_up(self, node: Address, *, is_sibling: bool, now_s: float) -> None:
        """Hand a sibling what it missed, and any directory again what it has not answered."""
        since_s = self._down_since_s.pop(node, -inf)
        self._handing.peer_up(node, now_s=now_s)
        if is_sibling:
            for registration in self._authority.registered_since(since_s - OVERLAP_S):
                self._handing.add(
                    node,
                    registration.record.host,
                    Handed(
                        registration.statement.envelopes[0],
                        registration.record.sequence,
                        registration.statement.expires_s,
                    ),
                    now_s=now_s,
                )

    def peer_down(self, node: Address, *, now_s: float) -> None:
        """Remember since when a peer misses something."""
        _ = self._down_since_s.setdefault(node, now_s)

    def poll(self, now_s: float) -> None:
        """Repeat what was not answered."""
        self._handing.poll(now_s)

    def statistics(self) -> HandingStatistics:
        """Return how many attachments are on their way."""
        return self._handing.statistics()

    def _keep(
        self,
        sender: Address,
        envelope: bytes,
        record: AttachmentRecord,
        *,
        now_s: float,
        unix_s: float,
    ) -> None:
        try:
            registration = self._authority.register(envelope, now_s=now_s, unix_s=unix_s)
        except (IntegrityError, Refused) as refused:
            self._refuse(sender, record, word_of(refused))
        except LimitError:
            self._refuse(sender, record, "store_full")
        else:
            is_new = registration.at_s == now_s
            self.staged.append(Staged(sender, record, envelope, is_new=is_new))

    def _refuse(self, sender: Address, record: AttachmentRecord, reason: str) -> None:
        self._count(reason)
        self._send(sender, Registered(record.host, record.sequence, reason))

    def _hand(
        self,
        record: AttachmentRecord,
        envelope: bytes,
        directories: tuple[Address, ...],
        *,
        now_s: float,
        unix_s: float,
    ) -> None:
        expires_s = now_s + record.expires_unix_s - unix_s
        for directory in directories:
            handed = Handed(envelope, record.sequence, expires_s)
            self._handing.add(directory, record.host, handed, now_s=now_s)

    def _opened(self, envelope: bytes) -> AttachmentRecord:
        record, signer = self._open_envelope(envelope)
        if not isinstance(record, AttachmentRecord):
            refuse("other_answer", "a record that is no attachment")
        number = domain_number_of(record.host)
        if not number or make_address(number, signer) != record.host:
            refuse("wrong_signer", "an attachment that its host has not signed")
        return record
