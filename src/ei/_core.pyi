"""The native module: the datapath, its sockets and the crates beside it.

Conventions: `now_ns` is monotonic time in nanoseconds, any epoch, never decreasing; `unix_s` is the
wall clock; addresses are 16 bytes; keys 32 bytes; endpoints are strings such as "127.0.0.1:3535" or
"[::1]:3535". Wrong arguments raise `ValueError` or `TypeError`; received bytes never raise.
"""

from typing import Literal, final

WIRE_VERSION: int

def reasons() -> list[tuple[str, str]]:
    """Every drop reason of the datapath: (word, explanation)."""

def public_key(private_key: bytes) -> bytes:
    """X25519 public key of `private_key`."""

def monotonic_ns() -> int:
    """The clock of `Engine` threads."""

class DatapathControl:
    """What a node asks of its datapath, the same for `Datapath` and `Engine` (a typing Protocol in
    `ei.node.datapath`; listed here for reference only and not exported by the module)."""

@final
class Datapath:
    """A pure datapath for one thread: nodes in simulation, and every host.

    Args:
        role: "node" or "host".
        address: 16 bytes.
        private_key: X25519, 32 bytes.
        seed: 32 bytes for a repeatable run (simulation only); `None` takes the system's randomness.
        unix_offset_ns: Wall clock minus monotonic clock, for handshake timestamps.
        cache_entries: Most decisions; 0 caches nothing.
        max_datagram_bytes: Largest datagram sent, 1_280 to 65_000.
        has_log: Keep the event log that `take_log` returns (simulation).
    """

    def __init__(
        self,
        *,
        role: Literal["node", "host"],
        address: bytes,
        private_key: bytes,
        seed: bytes | None = None,
        unix_offset_ns: int = 0,
        cache_entries: int = 65_536,
        max_datagram_bytes: int = 1_452,
        has_log: bool = False,
    ) -> None: ...

    # -- control: the same names on Engine, there without now_ns ------------------------------
    def add_peer(
        self,
        address: bytes,
        public_key: bytes,
        *,
        kind: Literal["node", "host"],
        endpoint: str | None = None,
    ) -> None:
        """Know a peer (or change what is known of it). Opens no pipe."""

    def remove_peer(self, now_ns: int, address: bytes) -> None: ...
    def dial(self, now_ns: int, address: bytes) -> None:
        """Open a pipe to a known peer that has an endpoint; no effect when one is up."""

    def add_service(
        self,
        number: int,
        *,
        match_metadata: int | None = None,
        reads_payload: bool = False,
        queue_packets: int = 1_024,
        max_hops: int = 1_024,
        max_objects: int = 65_536,
        drop_reasons: list[str] = ...,
        counters: list[str] = ...,
        fail: Literal["closed", "open", "bypass"] = "closed",
    ) -> None:
        """Run a service here: packets that name it miss into its queue, starting with `Started`."""

    def remove_service(self, number: int) -> None: ...
    def set_chain(self, service: int, services: list[int]) -> None:
        """Services that a packet naming `service` visits, in order; ends with `service`. At most 8."""

    def set_guards(self, host: bytes, services: list[int]) -> None:
        """Services that run before the last pipe to `host`. At most 8; empty removes them."""

    def resolved(self, now_ns: int, service: int, query: bytes, record: bytes | None) -> None:
        """Answer a `("resolve", service, query)` notice."""

    def lose_worker(self, now_ns: int, service: int) -> None:
        """The service's worker died: what it had not answered is dropped (`worker_lost`), and
        `Started` leads its next batch."""

    def send_control(self, now_ns: int, peer: bytes, service: int, message: bytes) -> None:
        """Send a control message on the pipe to `peer` (hosts; a node's services use effects)."""

    def take_notices(
        self,
    ) -> list[
        tuple[Literal["peer_up", "peer_down"], bytes]
        | tuple[Literal["resolve"], int, bytes]
        | tuple[Literal["control"], bytes, int, bytes]
        | tuple[Literal["worker_lost", "worker_slow"], int]
    ]:
        """What the node or host should know: pipes up and down (peer), queries (service, query),
        for hosts control messages (peer, service, message), for an Engine the loss of a worker."""

    def statistics(self) -> dict[str, object]:
        """Counters and gauges: {"received", "forwarded", "delivered", "consumed", "missed",
        "answered", "passed", "waiting", "sent", "copies", "received_bytes", "sent_bytes": int,
        "dropped": {word: int}, "missed_dropped": {word: int}, "services": {number: {"missed",
        "queue_packets", "decisions", "dropped": {word: int}, "counters": {name: int}}},
        "decisions": int, "stale_decisions": int, "peers": {address hex: {"is_up", "rtt_s",
        "endpoint", "sent", "received", "sent_bytes", "received_bytes"}}}."""

    def take_traces(self) -> list[tuple[int, bytes, int, int, str, str, int, list[int]]]:
        """Records of packets with the trace flag, oldest first, at most 4,096 kept: (now_ns,
        source, service, connection, how: "cached" | "decided" | "queued", verdict: the fate's or
        reason's word or "forwarded to <hex>", nanoseconds spent, services run)."""

    # -- the pure walk --------------------------------------------------------------------------
    def handle(self, now_ns: int, source: str, datagram: bytes) -> str:
        """Process one datagram from the network; return its fate as a word."""

    def poll(self, now_ns: int) -> None:
        """Do what is due: retries, heartbeats, expiry."""

    def next_deadline_ns(self) -> int | None: ...
    def take_datagrams(self) -> list[tuple[str, bytes]]:
        """All that is to be sent, trains cut into datagrams: (endpoint, bytes)."""

    def take_events(self, now_ns: int, unix_s: float, service: int) -> bytes | None:
        """The next `EventBatch` for a service, msgpack; `None` when its queue is empty."""

    def put_effects(self, now_ns: int, service: int, batch: bytes) -> None:
        """Apply an `EffectBatch`.

        Raises:
            ValueError: not an EffectBatch (the caller should treat the worker as lost).
        """

    def services_with_events(self) -> list[int]: ...
    def take_log(self) -> bytes:
        """Event log since the last call: per event `now_ns u64 | length u32 | fate u8 | header
        length u16 | plaintext header` (little-endian). For the digest of a run."""

    # -- hosts ----------------------------------------------------------------------------------
    def send(
        self,
        now_ns: int,
        peer: bytes,
        service: int,
        connection: int,
        metadata: bytes,
        payloads: list[bytes],
        *,
        protection: int,
        is_covered: bool = False,
        traffic_class: int = 0,
        is_traced: bool = False,
    ) -> int:
        """Send payloads, each in its own packet, on the pipe to `peer`; return how many were taken."""

    def take_received(
        self,
    ) -> list[tuple[bytes, int, bytes, int, bytes, int, bool, list[bytes]]]:
        """Packets for this host, runs of one connection joined: (peer, service, source,
        connection, metadata, protection, is_traced, payloads)."""

@final
class Socket:
    """A UDP socket with batched receive (GRO) and send (GSO) for a `Datapath`; never blocks."""

    def __init__(self, bind: str) -> None: ...
    @property
    def endpoint(self) -> str: ...
    def fileno(self) -> int: ...
    def receive(self, datapath: Datapath, now_ns: int) -> int:
        """Hand all datagrams that wait (at most 256) to the datapath; return their number."""

    def flush(self, datapath: Datapath) -> int:
        """Send all that the datapath wants to send; return the number of datagrams."""

    def close(self) -> None: ...

@final
class EndToEnd:
    """Noise IK sessions between hosts, inside the payloads of datagrams (sans-IO)."""

    def __init__(
        self, private_key: bytes, *, seed: bytes | None = None, unix_offset_ns: int = 0
    ) -> None: ...
    def seal(
        self, now_ns: int, peer_key: bytes, associated: bytes, datagram: bytes
    ) -> list[bytes]:
        """Payloads to send now: the sealed datagram, or a handshake message while it waits."""

    def open(
        self, now_ns: int, peer_key: bytes, associated: bytes, payload: bytes
    ) -> tuple[bytes | None, list[bytes]]:
        """One received payload: (datagram or None, payloads to send back).

        Raises:
            ValueError: the payload does not verify.
        """

    def poll(self, now_ns: int) -> list[tuple[bytes, bytes]]:
        """Due retries: (peer_key, payload)."""

    def next_deadline_ns(self) -> int | None: ...

@final
class Engine:
    """The datapath of a real node: native threads that own the sockets.

    Control methods are those of `Datapath` without `now_ns`.

    Args:
        binds: Endpoints to listen on (IPv4 and IPv6); port 0 takes any.
        threads: Datapath threads, 1 to 16, by SO_REUSEPORT.
        spin_us: Microseconds a thread polls before it sleeps; 0 sleeps at once.
    """

    def __init__(
        self,
        *,
        binds: list[str],
        address: bytes,
        private_key: bytes,
        threads: int = 1,
        cache_entries: int = 65_536,
        max_datagram_bytes: int = 1_452,
        spin_us: int = 50,
    ) -> None: ...
    @property
    def endpoints(self) -> list[str]: ...
    def start(self) -> None: ...
    def stop(self) -> None:
        """End the threads within 1 s; what they hold is dropped. Idempotent."""

    def add_peer(
        self,
        address: bytes,
        public_key: bytes,
        *,
        kind: Literal["node", "host"],
        endpoint: str | None = None,
    ) -> None: ...
    def remove_peer(self, address: bytes) -> None: ...
    def dial(self, address: bytes) -> None: ...
    def add_service(
        self,
        number: int,
        *,
        match_metadata: int | None = None,
        reads_payload: bool = False,
        queue_packets: int = 1_024,
        max_hops: int = 1_024,
        max_objects: int = 65_536,
        drop_reasons: list[str] = ...,
        counters: list[str] = ...,
        fail: Literal["closed", "open", "bypass"] = "closed",
    ) -> None: ...
    def remove_service(self, number: int) -> None: ...
    def set_chain(self, service: int, services: list[int]) -> None: ...
    def set_guards(self, host: bytes, services: list[int]) -> None: ...
    def resolved(self, service: int, query: bytes, record: bytes | None) -> None: ...
    def attach_worker(self, service: int, sockets: list[int]) -> None:
        """Give the service its worker: one SOCK_SEQPACKET descriptor per thread, owned from now on.
        A hang-up on one of them is the `worker_lost` notice; a batch unanswered for 2 s is
        `worker_slow`."""

    def detach_worker(self, service: int) -> None: ...
    def notice_fd(self) -> int:
        """An eventfd that is readable while notices wait."""

    def take_notices(
        self,
    ) -> list[
        tuple[Literal["peer_up", "peer_down"], bytes]
        | tuple[Literal["resolve"], int, bytes]
        | tuple[Literal["control"], bytes, int, bytes]
        | tuple[Literal["worker_lost", "worker_slow"], int]
    ]: ...
    def statistics(self) -> dict[str, object]: ...
    def take_traces(self) -> list[tuple[int, bytes, int, int, str, str, int, list[int]]]: ...

@final
class Link:
    """A seeded model of one direction of a link: when do the copies of a datagram arrive?

    Args:
        seed: Any unsigned 64 bits; the same seed and offers give the same arrivals.
        delay_s, jitter_s: Arrival is delay plus a uniform value in [0, jitter].
        loss, duplicate, corrupt, reorder: Probabilities 0 to 1; a reordered datagram skips the delay.
        rate_bps: Bits per second of UDP payload plus 28 bytes; 0 is unlimited.
        queue_bytes: Waiting for the rate; beyond it datagrams are lost.
    """

    def __init__(
        self,
        *,
        seed: int,
        delay_s: float = 0.0,
        jitter_s: float = 0.0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        corrupt: float = 0.0,
        reorder: float = 0.0,
        rate_bps: int = 0,
        queue_bytes: int = 262_144,
    ) -> None: ...
    is_cut: bool
    def offer(self, now_ns: int, datagram: bytes) -> list[tuple[int, bytes]]:
        """Arrivals of one datagram: (at_ns, bytes), none when it is lost."""

    def offer_length(self, now_ns: int, length: int) -> list[int]:
        """As `offer` where the bytes do not matter."""

@final
class Shaper:
    """A native UDP relay that impairs datagrams between real sockets, by `Link`s on native timers."""

    def __init__(self) -> None: ...
    def add(
        self, a_side: str, a: str, b_side: str, b: str, *, forward: Link, backward: Link
    ) -> tuple[str, str]:
        """Bind `a_side` (a sends to it, thinking it is b) and `b_side`; relay both ways. `a` or
        `b` with port 0 is learned from its newest datagram. Return both endpoints as bound."""

    def change(self, a_side: str, *, forward: Link, backward: Link) -> None:
        """Impair datagrams from now on by other links; those on their way still arrive."""

    def start(self) -> None:
        """Relay from now on; once per shaper."""

    def stop(self) -> None:
        """End the thread; what is on its way is lost. Idempotent."""

    def statistics(self) -> dict[str, dict[str, int]]:
        """Per a_side, both directions summed: {"offered", "delivered", "lost", "duplicated",
        "corrupted", "reordered", "bytes", "unsent"}."""
