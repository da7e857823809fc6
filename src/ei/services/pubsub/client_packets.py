"""The packets of pub/sub on a host: one channel, whose packets go to all who subscribed to them."""

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress

from ei.errors import LocalError
from ei.host.client import Host
from ei.host.events import PacketReceived
from ei.sdk import Address
from ei.services.pubsub.client_lines import PUBSUB
from ei.services.pubsub.client_subscriptions import PATIENCE_S, Message, Subscription
from ei.services.pubsub.messages import KEPT, LIVE, read_payload
from ei.services.pubsub.subjects import does_match, is_subject

PACKETS = 8_192
SOURCES = 4_096
MEETINGS = 4_096


class Packets:
    """Sends packets, and hands out those that come.

    Args:
        host: Whose.
        subscriptions: Read at each packet.

    Attributes:
        late: Dropped, as newer ones of their publisher had come before.
    """

    def __init__(self, host: Host, subscriptions: Mapping[int, Subscription]) -> None:
        self.late = 0
        self._subscriptions = subscriptions
        self._channel = host.listen(PUBSUB, limit_items=PACKETS)
        self._meeting: dict[tuple[str, bool], list[Subscription]] = {}
        self._newest: OrderedDict[tuple[bytes, int], int] = OrderedDict()

    def send(self, metadata: bytes, payload: bytes, *, node: Address | None) -> bool:
        """Send one; return whether the pipe took it."""
        return self._channel.send(payload, metadata=metadata, node=node) == 1

    def close(self) -> None:
        """Take no more."""
        self._channel.close()

    def forget_meetings(self) -> None:
        """Look anew at who wants what: subscriptions came or went."""
        self._meeting.clear()

    async def hear(self) -> None:
        """Hand out what comes, until it is closed."""
        with suppress(LocalError):
            while True:
                self._take(await self._channel.receive(deadline_s=PATIENCE_S))

    # -- inside -----------------------------------------------------------------------------------

    def _take(self, packet: PacketReceived) -> None:
        kind, subject = packet.metadata[:1], packet.metadata[1:].decode(errors="replace")
        read = read_payload(packet.payload)
        is_kept = kind == bytes((KEPT,))
        if read is None or not (is_kept or kind == bytes((LIVE,))):
            return
        number, extra, data = read
        if self._is_late((packet.source, packet.connection), number):
            self.late += 1
            return
        for subscription in self._who_wants(subject, is_kept=is_kept):
            subscription.tell(Message(subject, data, packet.source, extra))

    def _is_late(self, series: tuple[bytes, int], number: int) -> bool:
        """Whether something newer of the same publisher was there before."""
        if number <= self._newest.get(series, -1):
            return True
        self._newest[series] = number
        self._newest.move_to_end(series)
        if len(self._newest) > SOURCES:
            _ = self._newest.popitem(last=False)
        return False

    def _who_wants(self, subject: str, *, is_kept: bool) -> list[Subscription]:
        found = self._meeting.get((subject, is_kept))
        if found is None:
            if len(self._meeting) >= MEETINGS:
                self._meeting.clear()
            found = self._meeting[subject, is_kept] = [
                each
                for each in self._subscriptions.values()
                if not (is_kept and each.kept) and does_match(each.filter, subject)
            ]
        return found


def check_subject(subject: str) -> None:
    """See that one can publish under it.

    Raises:
        LocalError: One cannot.
    """
    if not is_subject(subject):
        raise LocalError(f"{subject!r:.250} is no subject: 1 to 200 bytes, without '+' and '#'")
