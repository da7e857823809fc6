"""What a host says to services: packets that name one, and control messages. Pure."""

from collections import Counter
from collections.abc import Callable

from ei._core import Datapath
from ei.errors import LimitError, LocalError
from ei.host.attachments import Attachments
from ei.host.ranges import check_connection, check_service, check_traffic_class
from ei.host.sizes import check_room
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address, Protection


class Calling:
    """Calls services at a host's nodes.

    Args:
        datapath: Sends.
        attachments: The nodes; read at every use.
        records: Who they are; read at every use.
        max_datagram_bytes: Largest datagram sent.

    Attributes:
        sent, dropped: Counts since the start, by kind and by reason.
    """

    def __init__(
        self,
        datapath: Datapath,
        *,
        attachments: Callable[[], Attachments],
        records: Callable[[], RecordSet],
        max_datagram_bytes: int,
    ) -> None:
        self._datapath = datapath
        self._attachments = attachments
        self._records = records
        self._max_datagram_bytes = max_datagram_bytes
        self.sent: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    def call(  # noqa: PLR0913 as many as a packet has fields
        self,
        now_ns: int,
        service: int,
        payloads: list[bytes],
        *,
        connection: int,
        metadata: bytes = b"",
        protection: Protection = Protection.NONE,
        is_covered: bool = True,
        traffic_class: int = 0,
        is_traced: bool = False,
        node: Address | None = None,
    ) -> int:
        """Send packets that name `service`; return how many were taken.

        Args:
            payloads: One packet each, 0 to 1_280 bytes.
            metadata: 0 to 255 bytes; beyond 92 there is less room for payloads.
            protection: How the caller has sealed the payloads. Unsealed ones must be covered by
                the seal of each pipe.
            node: Which of the host's nodes gets them; the one in use by default.

        Raises:
            LimitError: a payload or the metadata is too long; nothing is sent.
            LocalError: a number does not fit, or nothing seals the payloads.
        """
        check_service(service)
        check_connection(connection)
        check_traffic_class(traffic_class)
        check_room(payloads, metadata, self._max_datagram_bytes)
        try:
            taken = self._datapath.send(
                now_ns,
                self._attachments().via_for(service, metadata) if node is None else node,
                service,
                connection,
                metadata,
                payloads,
                protection=protection,
                is_covered=is_covered,
                traffic_class=traffic_class,
                is_traced=is_traced,
            )
        except ValueError as error:
            raise LocalError(f"service {service} cannot be called so: {error}") from error
        self.sent["packet"] += taken
        self.dropped["send_refused"] += len(payloads) - taken
        return taken

    def send_control(
        self, now_ns: int, service: int, message: bytes, *, node: Address | None = None
    ) -> None:
        """Send a control message to a service at one of the host's nodes, reliably and in order.

        Args:
            message: At most 64 KiB.

        Raises:
            LimitError: too long, or too many wait for the node.
            LocalError: no service has that number.
        """
        check_service(service)
        to = self._attachments().via if node is None else node
        try:
            self._datapath.send_control(now_ns, to, service, message)
        except ValueError as error:
            name = self._records().name_of(to)
            raise LimitError(f"{name} gets no control message now: {error}") from error
        self.sent["control"] += 1
