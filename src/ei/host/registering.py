"""Tells the directories of a host's home where it is attached, by the node that it uses. Pure.

The host signs the record itself, anew when it moves and before the record ends. Directories answer
once they keep it (`Registered`); until then it is sent again.
"""

from collections import Counter
from collections.abc import Callable

from ei.attachment import Guard
from ei.attachment import encode as encode_attachment
from ei.directory.messages import Register, Registered, encode
from ei.host.attachments import Attachments
from ei.records.envelope import seal_record
from ei.records.keys import Keys
from ei.records.kinds import MAX_ATTACHMENT_S, AttachmentRecord
from ei.sdk.packets import Address

NS_PER_S = 1_000_000_000
MAX_NODES = 8
LIFE_S = MAX_ATTACHMENT_S - 300
"""Below the most by what clocks may differ: to a clock that is behind it seems to live longer."""
RENEW_NS = LIFE_S * NS_PER_S // 2
SETTLE_NS = 100_000_000
"""Pipes that come up or go down together make one record."""
RETRY_NS = NS_PER_S
MAX_RETRY_NS = 60 * NS_PER_S
HOUR_US = 3_600_000_000


class Registering:
    """One host.

    Args:
        host: Its address.
        keys: Its own.
        send: Sends a message to the directory of the node in use, at a time; raises nothing.
        dropped: Counts why a record was not kept.
        unix_offset_ns: Wall clock minus monotonic time.
        guards: Numbers of the services that nodes are to run before the pipe to it; `None` to leave
            that to what was said before.
    """

    def __init__(  # noqa: PLR0913 all that it says, and to whom
        self,
        host: Address,
        keys: Keys,
        *,
        send: Callable[[int, bytes], None],
        dropped: Counter[str],
        unix_offset_ns: int,
        guards: tuple[int, ...] | None = None,
    ) -> None:
        self._host = host
        self._keys = keys
        self._send = send
        self._dropped = dropped
        self._unix_offset_ns = unix_offset_ns
        self._guards = guards
        self._nodes: tuple[Address, ...] = ()
        self._sequence = 0
        self._guard_sequence = 0
        self._message = b""
        self._tries = 0
        self._due_ns: int | None = None
        self._renew_ns: int | None = None
        self.is_registered = False

    def watch(self, now_ns: int, attachments: Attachments) -> None:
        """Take note of the nodes: the one in use first, then the others that are up."""
        up = attachments.up
        if not up:
            # To send would call a node, which is for others to decide.
            self._nodes, self._due_ns = (), None
            return
        nodes = tuple(dict.fromkeys((attachments.via, *up, *attachments.nodes)))[:MAX_NODES]
        if nodes != self._nodes:
            self._nodes = nodes
            self._tries = 0
            self._plan(now_ns + SETTLE_NS)

    def hear(self, now_ns: int, said: Registered) -> None:
        """Take the answer of a directory."""
        if said.host != self._host or said.sequence != self._sequence or self.is_registered:
            return
        if not said.reason:
            self.is_registered = True
            self._tries = 0
            self._due_ns = self._renew_ns
            return
        self._dropped[said.reason] += 1
        if said.reason == "older":
            # Signed when this clock was ahead: the order goes on from there, whatever it says now.
            self._sequence += HOUR_US
        self._plan(now_ns + self._wait_ns())

    def guard(self, now_ns: int, node: Address) -> bytes | None:
        """Return what a node is told of the guards as soon as the pipe to it is up, if anything."""
        if self._guards is None:
            return None
        self._guard_sequence = max(self._guard_sequence + 1, self._unix_ns(now_ns) // 1_000)
        return encode_attachment(Guard(self._sealed(now_ns, (node,), self._guard_sequence)))

    def poll(self, now_ns: int) -> None:
        """Send what is due."""
        if self._due_ns is None or self._due_ns > now_ns:
            return
        if not self._message or self.is_registered:
            self._sign(now_ns)
        self._send(now_ns, self._message)
        self._due_ns = now_ns + self._wait_ns()
        self._tries += 1

    def next_deadline_ns(self) -> int | None:
        """Return when `poll` has something to do next."""
        return self._due_ns

    def _plan(self, at_ns: int) -> None:
        """Sign a new record, and send it, at a time."""
        self._message = b""
        self._due_ns = at_ns

    def _wait_ns(self) -> int:
        return min(RETRY_NS << min(self._tries, 6), MAX_RETRY_NS)

    def _sign(self, now_ns: int) -> None:
        self._sequence = max(self._sequence + 1, self._unix_ns(now_ns) // 1_000)
        self._message = encode(Register(self._sealed(now_ns, self._nodes, self._sequence)))
        self._renew_ns = now_ns + RENEW_NS
        self.is_registered = False

    def _sealed(self, now_ns: int, nodes: tuple[Address, ...], sequence: int) -> bytes:
        expires_unix_s = self._unix_ns(now_ns) // NS_PER_S + LIFE_S
        record = AttachmentRecord(self._host, nodes, sequence, expires_unix_s, self._guards)
        return seal_record(record, self._keys)

    def _unix_ns(self, now_ns: int) -> int:
        return now_ns + self._unix_offset_ns
