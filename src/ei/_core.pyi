"""The native module: the datapath, its sockets and the crates beside it.

Conventions: `now_ns` is monotonic time in nanoseconds, any epoch, never decreasing; `unix_s` is the
wall clock; addresses are 16 bytes; keys 32 bytes; endpoints are strings such as "127.0.0.1:3535" or
"[::1]:3535". Wrong arguments raise `ValueError` or `TypeError`; received bytes never raise.
"""

from collections.abc import Callable
from typing import Literal, Protocol, Self, final

__all__ = [
    "KEYS",
    "WIRE_VERSION",
    "Datapath",
    "DecisionCache",
    "Dictionaries",
    "EndToEnd",
    "Engine",
    "Link",
    "PlainForwarder",
    "PlainQuicForwarder",
    "Replay",
    "Salvo",
    "Shaper",
    "Socket",
    "Streams",
    "VirtualUnderlay",
    "WasmModule",
    "encapsulate",
    "encapsulation_key",
    "hpke_derive",
    "hpke_open",
    "hpke_seal",
    "monotonic_ns",
    "public_key",
    "reasons",
    "shared_secret",
    "spin",
]

WIRE_VERSION: int
KEYS: str
"""What the keys of pipes and sessions are agreed on by."""

def reasons() -> list[tuple[str, str]]:
    """Every drop reason of the datapath: (word, explanation)."""

def public_key(private_key: bytes) -> bytes:
    """X25519 public key of `private_key`."""

def shared_secret(private_key: bytes, public_key: bytes) -> bytes:
    """One X25519 of a private key and somebody's public key, 32 bytes each."""

def encapsulation_key(seed: bytes) -> bytes:
    """Return the encapsulation key of ML-KEM-768 that 64 bytes make, 1,184 bytes."""

def encapsulate(key: bytes, drawn: bytes) -> tuple[bytes, bytes]:
    """Return a ciphertext for the owner of a key, 1,088 bytes, and the secret, 32 bytes.

    Args:
        drawn: 32 bytes, of which all hangs.

    Raises:
        ValueError: the key is none (FIPS 203, section 7.2).
    """

def hpke_derive(seed: bytes) -> tuple[bytes, bytes]:
    """Return the private and the public key of X25519 that 32 secret bytes make (7.1.3)."""

def hpke_seal(
    public_key: bytes,
    plaintext: bytes,
    *,
    info: bytes,
    additional: bytes,
    purpose: bytes,
    seed: bytes,
) -> tuple[bytes, bytes, bytes]:
    """Return the encapsulated key, the sealed message, and a secret of 16 bytes that both have.

    Args:
        public_key: Of the recipient, 32 bytes.
        info: What the message is for.
        additional: Must be the same where it is opened.
        purpose: Of the secret.
        seed: The private key of this message, 32 bytes drawn for it.

    Raises:
        ValueError: The public key is none.
    """

def hpke_open(
    private_key: bytes,
    public_key: bytes,
    enc: bytes,
    sealed: bytes,
    *,
    info: bytes,
    additional: bytes,
    purpose: bytes,
) -> tuple[bytes, bytes] | None:
    """Return the message and the secret; `None` where it is another's, or was changed.

    Args:
        private_key, public_key: Of the recipient, 32 bytes each.
        enc: The encapsulated key, 32 bytes.
        sealed: Message and tag.
    """

def monotonic_ns() -> int:
    """The clock of `Engine` threads."""

def spin(seconds: float) -> None:
    """Pass the time without sleeping, so that the core stays awake (benchmarks)."""

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

    def __new__(
        cls,
        *,
        role: Literal["node", "host"],
        address: bytes,
        private_key: bytes,
        seed: bytes | None = None,
        unix_offset_ns: int = 0,
        cache_entries: int = 65_536,
        max_datagram_bytes: int = 1_452,
        has_log: bool = False,
    ) -> Self: ...

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
        streams: bool = False,
        anonymous: bool = False,
    ) -> None:
        """Run a service here: packets that name it miss into its queue, starting with `Started`.

        One of the same number is another version of it: what waits stays, its decisions are void.
        With `streams` those of protection STREAMS are for this node's own streams: delivered.
        """

    def remove_service(self, number: int) -> None: ...
    def set_chain(self, service: int, services: list[int]) -> None:
        """Services that a packet naming `service` visits, in order, at most 8; ends with it."""

    def set_bundle(
        self,
        number: int,
        *,
        first: list[int],
        later: list[int],
        to_nodes: list[int],
        to_hosts: list[int],
    ) -> None:
        """Services that a packet naming the bundle `number` visits; empty lists take it away.

        Args:
            first: When it comes from a host; the last one sends.
            later: When it comes from a node; the last one is the same.
            to_nodes, to_hosts: Then, before the pipe to a node, or to a host.
        """

    def set_guards(self, host: bytes, services: list[int]) -> None:
        """Services that run before the last pipe to `host`. At most 8; empty removes them."""

    def resolved(self, now_ns: int, service: int, query: bytes, record: bytes | None) -> None:
        """Answer a `("resolve", service, query)` notice, or tell of a record that has changed."""

    def lose_worker(self, now_ns: int, service: int) -> None:
        """Drop what the service's dead worker had not answered (`worker_lost`).

        `Started` leads its next batch.
        """

    def send_control(self, now_ns: int, peer: bytes, service: int, message: bytes) -> None:
        """Send a control message on the pipe to `peer`: a host, or a node for itself.

        The modules of a node use effects.

        Raises:
            ValueError: no such peer, over 64 KiB, or 1 MiB waits for the pipe.
        """

    def close_peer(self, now_ns: int, address: bytes) -> None:
        """End the pipe to a peer and tell it. Either end may open another one."""

    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None:
        """Let services think that a peer which is up is down, so that they decide for others.

        Packets from and to it flow on, and no notice says so. Ends by itself when its pipe does.
        """

    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None:
        """Whether packets of a peer are taken: they are, by default, and until it is removed.

        Else they are dropped (`not_allowed`) before anything is decided. Control messages pass.
        """

    def revoke_peer(self, address: bytes) -> None:
        """Forget all decisions that go to a peer: it no longer leads where it did."""

    def set_fallback(self, service: int | None) -> None:
        """The service that packets visit whose service is not here; `None`: they are dropped."""

    def take_notices(
        self,
    ) -> list[
        tuple[Literal["peer_up", "peer_down"], bytes]
        | tuple[Literal["resolve"], int, bytes]
        | tuple[Literal["control"], bytes, int, bytes]
        | tuple[Literal["worker_lost", "worker_slow"], int]
    ]:
        """What the node or host should know, oldest first.

        Pipes up and down (peer), queries (service, query), control messages for a host or of the
        node's own services, those below 16 (peer, service, message), for an Engine the loss of a
        worker (service).
        """

    def statistics(self) -> dict[str, object]:
        """Counters and gauges.

        The three books of law 6 balance at any instant:

            received = forwarded + delivered + consumed + missed + sum of dropped
            missed   = answered + passed + waiting + sum of missed_dropped
            copies   = sent + copies_ended + copies_waiting + sum of copies_dropped

        {"received", "forwarded", "delivered", "consumed", "missed", "answered", "passed",
        "waiting", "copies", "sent", "copies_ended", "copies_waiting", "signals" (datagrams of the
        pipes themselves), "received_bytes", "sent_bytes", "stale_decisions", "effects_refused",
        "decisions", "log_lost": int, "dropped", "missed_dropped", "copies_dropped": {word: int},
        "handshakes": {"initiated", "answered", "completed", "refused": int}, "services": {number:
        {"missed", "queue_packets", "queue_bytes" (with 256 for each packet), "queue_limit_bytes",
        "decisions", "batches", "events" (answered), "failed" (events lost with a worker, or of
        whose effects one was refused), "batch_ns" (from handing batches over to their answers, all
        together), "batch_seconds": [batches that took up to 50 µs, 100 µs, 250 µs, 500 µs, 1 ms,
        2.5 ms, 5 ms, 10 ms, 25 ms, 100 ms, 1 s, longer], "dropped": {word: int}, "counters": {name:
        int}}}, "peers": {address hex: {"is_up", "rtt_s", "endpoint", "sent", "received",
        "sent_bytes", "received_bytes", "refused" (not allowed)}}}.
        """

    def take_traces(self) -> list[tuple[int, bytes, int, int, str, str, int, list[int], bytes]]:
        """Records of packets with the trace flag, oldest first, at most 4,096 kept.

        One for each step: (when it was done, source, service, connection, how: "cached" | "decided"
        | "queued" | "dropped", verdict: the fate's or reason's word or "forwarded to <hex>",
        nanoseconds since the packet came, services that had a say or could not be asked, peer by
        whose pipe it came).
        """

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
            ValueError: not an EffectBatch, or not the answer to the oldest unanswered batch (the
                caller should treat the worker as lost).
        """

    def services_with_events(self) -> list[int]: ...
    def take_log(self) -> bytes:
        """Event log since the last call, for the digest of a run.

            now_ns u64 | length u32 | fate u8 | header length u16 | plaintext header

        Little-endian; fates are 0 forwarded, 1 delivered, 2 consumed, 3 missed, 4 and up dropped.
        """

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
        """Send payloads, each in its own packet, on the pipe to `peer`.

        Returns:
            How many were taken: all, or those before the first that the datapath would not take
            (no such peer, too many wait for the pipe, too big for it).

        Raises:
            ValueError: metadata over 255 B, or payloads protected by neither pipe nor host.
        """

    def take_received(
        self,
    ) -> list[tuple[bytes, int, bytes, int, bytes, int, bool, list[bytes]]]:
        """Packets for this host, runs of one connection joined.

        (peer, service, source, connection, metadata, protection, is_traced, payloads).
        """

@final
class DecisionCache:
    """The decisions of a datapath without pipes and queues.

    Tests compare it with the model in `ei.testing.model`.

    Args:
        entries: Most decisions; 0 caches nothing.
        secret: 16 bytes, of the keyed hashes.
    """

    def __new__(cls, *, entries: int, secret: bytes) -> Self: ...
    def add_service(
        self,
        number: int,
        *,
        match_metadata: int | None = None,
        reads_payload: bool = False,
        max_objects: int = 65_536,
        drop_reasons: list[str] = ...,
    ) -> None: ...
    def set_chain(self, service: int, services: list[int]) -> None: ...
    def set_guards(self, host: bytes, services: list[int]) -> None: ...
    def lose_peer(self, peer: bytes) -> None:
        """Void every decision that names the peer as a hop."""

    def revoke(self, service: int, tag: bytes) -> None: ...
    def install(self, now_ns: int, service: int, batch: bytes) -> list[str]:
        """Install the decisions of an `EffectBatch`, msgpack.

        Returns:
            For each "installed", "stale" or "refused".
        """

    def decide(
        self,
        now_ns: int,
        service: int,
        ingress: bytes,
        source: bytes,
        connection: int,
        metadata: bytes,
        egress: bytes,
        is_covered: bool,
        payload_bytes: int,
        position: int,
    ) -> tuple[object, ...]:
        """What becomes of a packet before the service at `position` of its chain; stages run.

        ("forwarded", [(to, connection | None, metadata | None, source | None, outcome of its
        guards | None)]), ("passed",), ("discarded", service, reason), ("missing", position,
        service) or ("dropped", reason).
        """

    def read_tally(self, service: int, object: bytes) -> tuple[int, int]: ...  # noqa: A002
    def tag_slot(self, tag: bytes) -> int:
        """Tags of one slot are revoked together."""

    def key_slot(
        self,
        service: int,
        named: int,
        ingress: bytes,
        source: bytes,
        connection: int,
        metadata: bytes,
        egress: bytes,
    ) -> int:
        """A new answer of a service unjoins all its answers of the same slot."""

    @property
    def epoch(self) -> int: ...
    def __len__(self) -> int:
        """Entries kept, valid or not."""

@final
class Dictionaries:
    """What the stages `Compress` and `Decompress` do with one object, without packets.

    Tests compare it with the reference in `ei.services.compression.stages`.
    """

    def __new__(cls) -> Self: ...
    def keep(self, dictionary: bytes) -> None:
        """Keep a dictionary, in the place of that with its number; of four the lowest goes.

        Raises:
            ValueError: not one as `zstd --train` writes it, without a number, or over 32 KiB.
        """

    def compress(self, payload: bytes, dictionary: int, ratio: int) -> bytes | None:
        """A frame by the dictionary of that number; `None` leaves the payload as it is."""

    def decompress(self, frame: bytes, ratio: int, limit_bytes: int) -> bytes:
        """The payload of a frame.

        Raises:
            ValueError: the word of why a packet with it is dropped: undecodable,
                unknown_dictionary or expands_too_much.
        """

@final
class WasmModule:
    """A service module in WebAssembly, checked and translated; docs/reference/module-abi.md.

    Args:
        code: Its binary form.
        memory_bytes: Most memory of an event, and most bytes of its effects; 1 to 2 GiB.
        fuel: Of an event: about one for each instruction.

    Raises:
        ValueError: it is none, or imports or lacks what it may not: what, in words.
    """

    def __new__(cls, code: bytes, *, memory_bytes: int, fuel: int) -> Self: ...
    def run(self, event: bytes, context: object) -> bytes:
        """Handle one event, in an instance of its own; return its effects, one msgpack array.

        Args:
            event: Encoded.
            context: Answers by its methods what the module asks: `ei.runtime.wasm.Asked`.

        Raises:
            TimeoutError: its fuel is used up.
            RuntimeError: it trapped: why, in words.
            BaseException: what a method of `context` raised, or the handler of a signal.
        """

@final
class Socket:
    """A UDP socket with batched receive (GRO) and send (GSO) for a `Datapath`; never blocks.

    Args:
        bind: Endpoint; port 0 takes any.

    Raises:
        OSError: as the system says, with the endpoint as `filename`.
    """

    def __new__(cls, bind: str) -> Self: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def overflows(self) -> int:
        """Datagrams that found the socket's buffer full, as the kernel counts; 0 when closed."""

    def fileno(self) -> int:
        """The descriptor to wait for; -1 when closed."""

    def receive(self, datapath: Datapath, now_ns: int) -> int:
        """Hand datagrams that wait to the datapath; return their number.

        At most 256, and the rest of a train.
        """

    def flush(self, datapath: Datapath) -> int:
        """Send all that the datapath wants to send; return the number of datagrams.

        What the kernel refuses is lost, and counted (`send_failed`).
        """

    def close(self) -> None:
        """Close the socket. Idempotent; other methods raise `ValueError` after it."""

@final
class EndToEnd:
    """Sessions between hosts, inside the payloads of datagrams (sans-IO)."""

    def __new__(
        cls, private_key: bytes, *, seed: bytes | None = None, unix_offset_ns: int = 0
    ) -> Self: ...
    def seal(
        self, now_ns: int, peer_key: bytes, associated: bytes, datagram: bytes
    ) -> list[tuple[bytes, bytes]]:
        """(associated, payload) to send now: the sealed datagram, or a handshake while it waits.

        `associated` is that of the datagram; a handshake goes the way of the one that began it.

        Raises:
            ValueError: 64 datagrams wait for the same handshake.
        """

    def open(
        self, now_ns: int, peer_key: bytes, associated: bytes, payload: bytes
    ) -> tuple[bytes | None, list[tuple[bytes, bytes]]]:
        """One received payload: (datagram or None, (associated, payload) to send back).

        What goes back are answers of the handshake, with b"" for they go the way that the payload
        came, then datagrams that waited for it.

        Raises:
            ValueError: the payload does not verify.
        """

    def poll(self, now_ns: int) -> list[tuple[bytes, bytes, bytes]]:
        """Due retries: (peer_key, associated, payload)."""

    def next_deadline_ns(self) -> int | None: ...
    def forget(self, peer_key: bytes) -> None:
        """End all sessions with a host."""

    def statistics(self) -> dict[str, int]:
        """{"peers", "waiting", "sealed", "opened", "expired", "handshakes"}."""

@final
class Engine:
    """The datapath of a real node: native threads that own the sockets.

    Control methods are those of `Datapath` without `now_ns`; the threads carry them out between two
    batches. They may be called before `start`, and raise `RuntimeError` after `stop` or when a
    thread has failed (the notice `failed` says so, too).

    Args:
        binds: Endpoints to listen on, at most one of IPv4 and one of IPv6, by which packets leave
            as well; port 0 takes any.
        threads: Datapath threads, 1 to 16, by SO_REUSEPORT.
        spin_us: Microseconds a thread polls before it sleeps; 0 sleeps at once.
        cpus: Thread i runs on CPU `cpus[i]`; `None` leaves that to the system.
        copies_per_s: That the packets of one peer may become, divided among the threads; more are
            dropped (`copies_capped`). 0 has no bound.
        xdp: Devices from which AF_XDP takes what is for `binds`, before a socket gets it; with one
            thread alone.

    Raises:
        OSError: as the system says, with the endpoint or the device as `filename`.
    """

    def __new__(
        cls,
        *,
        binds: list[str],
        address: bytes,
        private_key: bytes,
        threads: int = 1,
        cache_entries: int = 65_536,
        max_datagram_bytes: int = 1_452,
        spin_us: int = 50,
        cpus: list[int] | None = None,
        copies_per_s: int = 0,
        xdp: list[str] = ...,
    ) -> Self: ...
    @property
    def endpoints(self) -> list[str]: ...
    def start(self) -> None: ...
    def stop(self) -> None:
        """End the threads within 1 s; what they hold is dropped. Idempotent.

        What was ordered before is done, and the datagrams that it makes are sent.
        """

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
    def close_peer(self, address: bytes) -> None: ...
    def set_peer_avoided(self, address: bytes, *, is_avoided: bool) -> None: ...
    def set_peer_carried(self, address: bytes, *, is_carried: bool) -> None: ...
    def revoke_peer(self, address: bytes) -> None: ...
    def send_control(self, peer: bytes, service: int, message: bytes) -> None: ...
    def set_fallback(self, service: int | None) -> None: ...
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
        streams: bool = False,
        anonymous: bool = False,
    ) -> None: ...
    def remove_service(self, number: int) -> None: ...
    def set_chain(self, service: int, services: list[int]) -> None: ...
    def set_bundle(
        self,
        number: int,
        *,
        first: list[int],
        later: list[int],
        to_nodes: list[int],
        to_hosts: list[int],
    ) -> None: ...
    def set_guards(self, host: bytes, services: list[int]) -> None: ...
    def resolved(self, service: int, query: bytes, record: bytes | None) -> None: ...
    def attach_worker(self, service: int, sockets: list[int]) -> None:
        """Give the service its worker: one SOCK_SEQPACKET descriptor per thread, owned from now on.

        For a service with streams one more, the last: on it go the events and effects of streams
        alone, once `start_streams` was called.
        A hang-up on one of them, or what is no `EffectBatch`, is the `worker_lost` notice, once per
        worker; a batch unanswered for 2 s is `worker_slow`.
        """

    def pause_worker(self, service: int) -> int:
        """Give the service's worker no more batches; return how many it has not answered yet.

        What comes waits in the service's queue until `attach_worker` gives it another worker.
        """

    def detach_worker(self, service: int) -> None: ...
    def start_streams(
        self,
        identity_key: bytes,
        *,
        internet: list[str] = ...,
        own_addresses: list[str] = ...,
        max_streams: int = 65_536,
        max_streams_per_peer: int = 1_024,
        buffer_bytes: int = ...,
    ) -> None:
        """Carry the streams of services from now on, in a thread of their own; once per engine.

        Args:
            identity_key: Ed25519 private key of this node, 32 bytes (RFC 8032).
            internet: What services may reach of the legacy Internet: "NETWORK:PORTS", for one
                transport "tcp NETWORK:PORTS" or "udp NETWORK:PORTS", such as "0.0.0.0/0:80,443" or
                "[::]/0:*". What is special (loopback, private, multicast and their like) only by a
                rule for a network that is special itself.
            own_addresses: Of this node, as text: reached only by a rule for that address alone.
            max_streams: At a time.
            max_streams_per_peer: The same of one host or other node.
            buffer_bytes: What all may hold at most, 1 GiB; half of it in QUIC's windows.

        Raises:
            RuntimeError: they were started before.
        """

    def set_internet(self, internet: list[str]) -> None:
        """What services may reach from now on; open streams stay."""

    def set_tight(self, is_tight: bool) -> int:
        """Give up what is kept, to be sent again or resumed, and let in no stream while it is so.

        Returns the bytes that were given up.
        """

    def set_sites(self, sites: list[tuple[str, bytes, bytes, list[str]]]) -> None:
        """Sites whose TLS ends here from now on, for `StartTls`; open streams stay.

        Args:
            sites: Of each its name, its certificate and those behind it as PEM, the key of the
                first of them as PEM, and the protocols of ALPN, the best first.

        Raises:
            ValueError: One cannot be used: which and why.
        """

    def set_stream_peer(self, address: bytes, identity_key: bytes | None) -> None:
        """Answer the notice `stream_key_wanted`: the Ed25519 public key of a host or node.

        `None`: it is not known, or no peer. It is for what waits now alone: the next connection
        asks again.
        """

    def notice_fd(self) -> int:
        """An eventfd that is readable while notices wait."""

    def take_notices(
        self,
    ) -> list[
        tuple[Literal["peer_up", "peer_down"], bytes]
        | tuple[Literal["resolve"], int, bytes]
        | tuple[Literal["control"], bytes, int, bytes]
        | tuple[Literal["worker_lost", "worker_slow"], int]
        | tuple[Literal["stream_key_wanted"], bytes]
        | tuple[Literal["failed"], str]
    ]:
        """As of `Datapath`, and what only an engine has.

        The key of a host or node is wanted that a stream comes from or goes to: answer by
        `set_stream_peer` within 5 s. A thread has failed, and with it the engine.
        """

    def statistics(self) -> dict[str, object]:
        """As of `Datapath`, summed over the threads, and what only an engine has.

        "threads": [the counters of each, "cpu_ns", "thread_id", "batches_outstanding",
        "socket_overflows", "thread_overflows", "captured"], "lost_workers": {service: why, until
        replaced}. "captured": datagrams that AF_XDP took from a device before a socket got them,
        summed. What was lost outside the books, since a bound of the engine was hit, summed as
        well: "socket_overflows" (datagrams that found the buffer of a socket or device full),
        "thread_overflows" (datagrams that one thread received for another, which has 1,024 of them
        to do), "notice_overflows" (notices beyond the 65,536 that wait to be taken).

        Once `start_streams` was called, "streams": {"open", "opened", "refused", "pipe_full",
        "crowded_out", "forgotten_bytes",
        "read_bytes", "written_bytes", "spliced_bytes", "buffered_bytes" (what windows may come to),
        "connections", "cpu_ns", "queue_overflows" (packets that the thread took too late): int,
        "closed": {reason: int}, "services": {number: {"open",
        "opened": int}}, "not_allowed": [(host, address, port, count), the 16 newest that the
        rules refused]}.
        """

    def take_traces(self) -> list[tuple[int, bytes, int, int, str, str, int, list[int], bytes]]: ...

@final
class Link:
    """A seeded model of one direction of a link: when do the copies of a datagram arrive?

    Args:
        seed: Any unsigned 64 bits; the same seed and offers give the same arrivals.
        delay_s, jitter_s: Arrival is delay plus a uniform value in [0, jitter].
        loss, duplicate, corrupt, reorder: Probabilities 0 to 1; what is reordered skips the delay.
        rate_bps: Bits per second of UDP payload plus 28 bytes; 0 is unlimited.
        queue_bytes: Waiting for the rate; beyond it datagrams are lost.
    """

    def __new__(
        cls,
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
    ) -> Self: ...
    is_cut: bool
    def offer(self, now_ns: int, datagram: bytes) -> list[tuple[int, bytes]]:
        """Arrivals of one datagram: (at_ns, bytes), none when it is lost."""

    def offer_length(self, now_ns: int, length: int) -> list[int]:
        """As `offer` where the bytes do not matter."""

    def statistics(self) -> dict[str, int]:
        """{"offered", "delivered", "lost", "duplicated", "corrupted", "reordered", "bytes"}."""

class _DatagramLog(Protocol):
    """`ei.lab.eventlog.EventLog`."""

    watch: Callable[[bytes], object] | None
    def add_datagrams(self, domain: str, entries: bytes, /) -> None: ...

@final
class VirtualUnderlay:
    """The underlay of a simulation, what is to happen in it, and the datapaths of its nodes.

    What happens comes by time, then by rank, then in the order of its coming. Ports, where hosts
    and nodes touch it, and paths, one direction between two of them, have numbers from 0. Times
    are unsigned, 64 bits.
    """

    def __new__(cls) -> Self: ...
    def push(self, when_ns: int, rank: int, item: Callable[[int], object]) -> None:
        """Put something in.

        Args:
            rank: Unsigned, 32 bits; what has 0 is no event. Nodes wake with 1, and what arrives has
                the number of its path and one more.
        """

    def pop(self, before_ns: int, most_standing: int) -> tuple[int, Callable[[int], object]] | None:
        """Let time pass until the program has a part in something: when, and what to call then.

        `None` when nothing happens before `before_ns`, or more than `most_standing` events came
        without time passing.
        """

    def earliest_ns(self) -> int | None: ...
    def retain(self, is_kept: Callable[[Callable[[int], object]], bool]) -> None:
        """Throw away what was put in and is not to be kept."""

    @property
    def events(self) -> int: ...
    @property
    def standstill(self) -> int:
        """Events since time passed last."""

    @property
    def datagrams(self) -> int:
        """Datagrams that were put on links."""

    @property
    def lost(self) -> int:
        """Those of which nothing arrives."""

    is_tapped: bool
    """Whether all that arrives goes by `on_arrived`."""

    def open(
        self,
        *,
        on_arrived: Callable[[int, list[bytes], int], object],
        on_strays: Callable[[int], object],
        log: _DatagramLog | None,
    ) -> None:
        """Say who answers for it.

        Args:
            on_arrived: Gets path, datagrams and time of what arrives where no node runs.
            on_strays: Gets the time when something was sent that has no path yet.
            log: Hears of every datagram that meets its end here.
        """

    def add_port(self, endpoint: str, domain: str) -> int:
        """Make a port; what arrives there is in the log of its domain."""

    def move_port(self, port: int, endpoint: str) -> None: ...
    def freeze(self, port: int) -> None:
        """Let what arrives go by `on_arrived`, and wake nobody there."""

    def thaw(self, port: int) -> None: ...
    def add_path(
        self,
        number: int,
        sender: int,
        receiver: int,
        *,
        leave: Callable[[int, int, bytes], object] | None,
    ) -> int:
        """Make a path.

        Args:
            number: Of its link, in the log.
            leave: Gets time, number and datagram of what arrives in another process.
        """

    def add_route(self, path: int, endpoint: str) -> None:
        """Let what the path's sender sends to that endpoint go by it."""

    def has_link(self, path: int) -> bool: ...
    def set_link(self, path: int, link: Link) -> None:
        """Give it a link of its own that is as this one now is."""

    def send(self, now_ns: int, port: int, endpoint: str, datagram: bytes) -> None: ...
    def flush(self, now_ns: int, port: int, datapath: Datapath) -> int:
        """Send all that a datapath wants to send; returns how many datagrams."""

    def put(self, path: int, at_ns: int, datagram: bytes) -> None:
        """Let a datagram arrive that was sent in another process."""

    @property
    def has_strays(self) -> bool: ...
    def take_strays(self) -> list[tuple[int, str, bytes]]:
        """What was sent without a path: port, endpoint, datagram."""

    def add_node(
        self,
        port: int,
        datapath: Datapath,
        *,
        on_news: Callable[[int], object],
        on_services_due: Callable[[int], object],
        on_logged: Callable[[], object],
    ) -> None:
        """Let a datapath take what arrives at a port, send by itself, and be woken.

        Args:
            on_news: Gets the time when its program is due, or has something to take; `settle` is to
                be called then.
            on_services_due: The same, when its services are due.
            on_logged: Is to take its log.
        """

    def remove_node(self, port: int) -> None: ...
    def settle(self, now_ns: int, port: int, *, program_ns: int, services_ns: int) -> None:
        """Send what a node's datapath holds, and wake it when it, program or services are due."""

    def __len__(self) -> int: ...

@final
class Shaper:
    """A UDP relay that impairs datagrams between real sockets, by `Link`s on native timers."""

    def __new__(cls) -> Self: ...
    def add(
        self, a_side: str, a: str, b_side: str, b: str, *, forward: Link, backward: Link
    ) -> tuple[str, str]:
        """Bind `a_side` (a sends to it, thinking it is b) and `b_side`; relay both ways.

        `a` or `b` with port 0 is learned from its newest datagram. Returns both endpoints as bound.
        """

    def change(self, a_side: str, *, forward: Link, backward: Link) -> None:
        """Impair datagrams from now on by other links; those on their way still arrive."""

    def start(self) -> None:
        """Relay from now on; once per shaper."""

    def stop(self) -> None:
        """End the thread; what is on its way is lost. Idempotent."""

    def statistics(self) -> dict[str, dict[str, int]]:
        """Per a_side, both directions summed.

        {"offered", "delivered", "lost", "duplicated", "corrupted", "reordered", "bytes", "unsent"}.
        """

@final
class Streams:
    """One host's end of all its stream connections: QUIC inside L3.5 payloads (sans-IO).

    A connection is named by the peer's address and the L3.5 connection number, which is the same in
    both directions and drawn at random by the end that connects. Both prove their Ed25519 keys.
    Safe to use from several threads; long calls release the interpreter.

    Args:
        identity_key: Ed25519 private key of this host, 32 bytes (RFC 8032).
        seed: 32 bytes for a repeatable run (simulation only); `None` takes the system's randomness.
        max_payload_bytes: Largest payload sent, 1_200 to 65_000; every path must carry it.
        max_connections: At a time; at most 64 of them with one peer.
        max_incoming: Connections that wait for `accept` at a time; at most 16 of one peer.
        max_streams: Of each kind, that a peer may have open at a time on one connection.
        receive_window_bytes: Unread, of one connection; a stream alone may have half of it.
        send_window_bytes: Unacknowledged or unsent, of one connection.
        buffer_bytes: Sum of the windows of all connections, 1 GiB; later ones get less.
        idle_timeout_s: A connection ends when nothing is heard for this long; 0 never ends it.
        keepalive_s: An idle connection sends something this often; 0 sends nothing.
        handshake_timeout_s: A handshake that takes longer ends its connection.
        key_timeout_s: An incoming connection that is not answered is refused after this.
        linger_s: What a lost connection received can be read for this long, or until `close`.

    Raises:
        ValueError: a value out of range, which the text names with its range.
    """

    def __new__(
        cls,
        *,
        identity_key: bytes,
        seed: bytes | None = None,
        max_payload_bytes: int = 1_232,
        max_connections: int = 1_024,
        max_incoming: int = 256,
        max_streams: int = 256,
        receive_window_bytes: int = 16_777_216,
        send_window_bytes: int = 8_388_608,
        buffer_bytes: int = ...,
        idle_timeout_s: float = 30.0,
        keepalive_s: float = 0.0,
        handshake_timeout_s: float = 10.0,
        key_timeout_s: float = 5.0,
        linger_s: float = 30.0,
    ) -> Self: ...
    @property
    def public_key(self) -> bytes:
        """Ed25519 public key of this host, 32 bytes."""

    # -- connections ----------------------------------------------------------------------------
    def connect(self, now_ns: int, peer: bytes, connection: int, peer_key: bytes) -> None:
        """Connect to the host at `peer` that has the Ed25519 key `peer_key`, both from its record.

        The event `connected` or `lost` follows.

        Raises:
            ConnectionError: the connection exists already, or there is no room for more.
        """

    def accept(self, now_ns: int, peer: bytes, connection: int, peer_key: bytes) -> None:
        """Answer the event `key_wanted` with the peer's key; `connected` or `lost` follows.

        Raises:
            ConnectionError: nothing waits (its time may be over), or there is no room for more.
        """

    def refuse(self, now_ns: int, peer: bytes, connection: int) -> None:
        """Answer the event `key_wanted` with no.

        Raises:
            ConnectionError: nothing waits.
        """

    def close(
        self, now_ns: int, peer: bytes, connection: int, *, code: int = 0, reason: str = ""
    ) -> None:
        """End a connection, telling the peer `code` (at most 2**62 - 1), or let go of a lost one.

        No event follows. What is unread or unsent is gone: wait for `stream_finished` before. The
        name stays in use for some round trips. No effect on a connection that is gone.
        """

    def path_changed(self, now_ns: int, peer: bytes) -> None:
        """Measure the path to `peer` afresh and say something over it: the attachment changed."""

    def ask(self, now_ns: int, peer: bytes) -> None:
        """Say something to `peer` that has to be answered, until it is."""

    # -- payloads and time ------------------------------------------------------------------------
    def handle(self, now_ns: int, peer: bytes, connection: int, payload: bytes) -> None:
        """Take one payload that came on a connection. Any bytes: what is not QUIC is counted."""

    def handle_many(self, now_ns: int, peer: bytes, connection: int, payloads: list[bytes]) -> None:
        """Take payloads that came on one connection, in order; cheaper than one by one."""

    def poll(self, now_ns: int) -> None:
        """Do what is due: retransmissions, timeouts, keepalives."""

    def next_deadline_ns(self) -> int | None:
        """When to call `poll` and `take_transmits` next.

        In the past while something waits to be sent; `None` when nothing will happen by itself.
        """

    def take_transmits(
        self, now_ns: int, max_payloads: int = 1_024
    ) -> list[tuple[bytes, int, list[bytes]]]:
        """What is to be sent now: (peer, connection, payloads).

        The payloads of an entry have one length, only the last may be shorter. The last entry may
        exceed `max_payloads` by 63.
        """

    def take_events(
        self, max_events: int = 1_024
    ) -> list[
        tuple[Literal["key_wanted", "connected"], bytes, int]
        | tuple[
            Literal["lost"],
            bytes,
            int,
            Literal[
                "closed",
                "refused",
                "wrong_identity",
                "identity_refused",
                "handshake_timeout",
                "timed_out",
                "crowded_out",
                "reset",
                "protocol",
            ],
            str,
            int,
        ]
        | tuple[Literal["stream_opened"], bytes, int, int, bool]
        | tuple[Literal["readable", "writable", "stream_finished"], bytes, int, int]
        | tuple[
            Literal["stream_reset", "stream_stopped", "joint_ended", "joint_broke"],
            bytes,
            int,
            int,
            int,
        ]
        | tuple[Literal["streams_available"], bytes, int, bool]
    ]:
        """What happened, in order within a connection.

        All begin (word, peer, connection); what follows in the tuple is listed:

        - key_wanted: a stranger connects; answer by `accept` or `refuse`
        - connected: the peer has proved its key; where this end connected, the peer may still
          refuse this host's key, which is then a `lost` with `identity_refused`
        - lost, kind, text, code: what was received can still be read; then `close`
        - stream_opened, stream, is_bidirectional: by the peer; `readable` follows
        - readable, stream: `read` finds bytes or the end; once, until it is taken
        - writable, stream: after a `write` that took less than was offered
        - stream_finished, stream: the peer has acknowledged all up to the end
        - stream_reset, stream, code: the peer gave up sending; what was unread is gone
        - stream_stopped, stream, code: the peer wants no more
        - joint_ended, stream, 0: both directions have, and the peer has all
        - joint_broke, stream, errno: its socket did, or with 0 its stream
        - streams_available, is_bidirectional: after `open_stream` returned `None`
        """

    # -- streams ----------------------------------------------------------------------------------
    def open_stream(self, peer: bytes, connection: int, *, is_bidirectional: bool) -> int | None:
        """Open a stream; `None` while the peer allows no more.

        The peer hears of it with the first bytes, or the end.

        Raises:
            ConnectionError: the connection is not up.
        """

    def write(self, peer: bytes, connection: int, stream: int, data: bytes, start: int = 0) -> int:
        """Write `data` from `start` on; return how many bytes were taken.

        After fewer than offered, wait for `writable`.

        Raises:
            BrokenPipeError: the peer stopped the stream, and its event was not taken yet.
            ConnectionError: the connection is not up, or the stream has ended.
            ValueError: the stream goes the other way only, or `start` is behind the end.
        """

    def finish(self, peer: bytes, connection: int, stream: int) -> None:
        """End a stream after what was written. Raises as `write`."""

    def reset(self, peer: bytes, connection: int, stream: int, code: int) -> None:
        """Give up sending, telling the peer `code` (at most 2**62 - 1). Raises as `write`."""

    def stop(self, peer: bytes, connection: int, stream: int, code: int) -> None:
        """Ask the peer to send no more; what is unread is dropped. Raises as `read`."""

    def read(
        self, peer: bytes, connection: int, stream: int, max_bytes: int
    ) -> tuple[bytes, Literal["open", "finished", "reset"], int]:
        """Read up to `max_bytes`: (bytes, how the stream stands after them, code of a reset or 0).

        After fewer than asked for, wait for `readable`; after as many, read again.

        Raises:
            ConnectionError: no such connection, or the stream was read to its end.
            ValueError: the stream goes the other way only.
        """

    # -- joints ------------------------------------------------------------------------------------
    def join(
        self,
        now_ns: int,
        peer: bytes,
        connection: int,
        stream: int,
        socket: int,
        *,
        keep_bytes: int = 0,
    ) -> None:
        """Join a stream to a TCP connection: what either has goes to the other, to both ends.

        What the stream says (`readable`, `writable`) is acted on by `take_events`, and told no
        more; what the socket says is acted on by `poll_joints`.

        Args:
            socket: Its descriptor, which belongs to the joint from now on, also if this raises.
            keep_bytes: So many of the last bytes that came from it are kept for `leave`.

        Raises:
            OSError: the system refuses.
        """

    def joint(self, peer: bytes, connection: int, stream: int) -> tuple[int, int, int]:
        """Bytes to the socket and back, and when one last went; also when the joint is over.

        Raises:
            ConnectionError: the stream is not joined.
        """

    def leave(
        self, peer: bytes, connection: int, stream: int
    ) -> tuple[int, int, int, bytes, bytes]:
        """Give the socket of a joint back, so that another stream can take the place of this one.

        (its descriptor, the caller's now; bytes that came from the stream; bytes that came from the
        socket; those that the socket has still to be given; the last ones that came from it).

        Raises:
            ConnectionError: the stream is not joined.
        """

    def part(self, peer: bytes, connection: int, stream: int, *, is_reset: bool) -> None:
        """Close the socket of a joint, resetting its connection or not. The stream stays."""

    def joints_fileno(self) -> int:
        """Descriptor that is readable when `poll_joints` is to be called; -1 without joints."""

    def poll_joints(self, now_ns: int) -> None:
        """Move what sockets have, or take again; then there may be transmits and events.

        Raises:
            OSError: the system refuses.
        """

    # -- seeing ------------------------------------------------------------------------------------
    def statistics(self) -> dict[str, int]:
        """Gauges and counters.

        Gauges: "connections", "waiting", "joints", "tails_bytes", "reserved_bytes". Counters:
        "tails_dropped", "connects", "accepts", "losses", "crowded_out", "refusals",
        "incoming_dropped", "payloads_received", "payloads_sent", "received_bytes", "sent_bytes",
        "payloads_unknown", "answers_dropped".
        """

    def connection_statistics(self, peer: bytes, connection: int) -> dict[str, int]:
        """Gauges and counters of one connection.

        "is_up" (0 or 1), "rtt_ns", "min_rtt_ns", "congestion_window_bytes", "congestion_events",
        "payloads_sent", "payloads_received", "payloads_lost", "sent_bytes", "received_bytes",
        "acknowledgements_sent".

        Raises:
            ConnectionError: no such connection.
        """

@final
class PlainForwarder:
    """The baseline of benchmarks: forwards each datagram to one endpoint, unread.

    Args:
        bind: Where it receives; port 0 takes any.
        to: Where all goes.
        cpu: The CPU of its one thread.
        spin_us: How long it looks on before it sleeps, as a node's threads do.
    """

    def __new__(cls, bind: str, to: str, *, cpu: int | None = None, spin_us: int = 0) -> Self: ...
    @property
    def endpoint(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def statistics(self) -> dict[str, int]:
        """{"received", "sent", "cpu_ns"}."""

@final
class PlainQuicForwarder:
    """The baseline of a splice: gives whoever opens a stream what a TCP server says, to its end.

    QUIC is that of `Streams`, and its payloads are plain datagrams. One thread, one stream at a
    time; connections are named by the port that they come from.

    Args:
        bind: Where it receives; port 0 takes any.
        to: The TCP server.
        identity_key: Its Ed25519 private key, 32 bytes.
        peer_key: The public one of who connects.
    """

    def __new__(cls, bind: str, to: str, *, identity_key: bytes, peer_key: bytes) -> Self: ...
    @property
    def endpoint(self) -> str: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...
    def statistics(self) -> dict[str, int]:
        """{"cpu_ns"}."""

@final
class Replay:
    """Datagrams kept in memory, to be handed to a datapath without a socket (benchmarks)."""

    def __new__(cls) -> Self: ...
    def take(self, datapath: Datapath, source: str) -> None:
        """Keep what a datapath has to send, train by train, as if it came from `source`."""

    def __len__(self) -> int:
        """Trains that are kept."""

    def run(
        self, datapath: Datapath, now_ns: int, *, order: list[int] | None = None
    ) -> tuple[int, int]:
        """Hand everything to a datapath, and take what it has to send, which is dropped.

        What was kept is used up: it opens only once.

        Args:
            order: Of the trains, by their places; `None` is that of `take`.

        Returns:
            The datagrams, and the CPU time of this thread for them, nanoseconds.
        """

@final
class Salvo:
    """Packets sealed beforehand, so that a generator can saturate a node (benchmarks).

    Sealing costs about as much as all that the node does. Needs a pipe that is up, about 100 B of
    memory for each packet, and sending within the lifetime of the keys (two minutes). Meanwhile the
    datapath must not be polled: what it would send has a counter far ahead of theirs, so that they
    would be taken for replays.

    Args:
        datapath: Of the sending host.
        packets: How many to seal.
        connection, connections: Trains of 64 packets go by turns over so many connections, from
            `connection` on.
        payload_bytes: Of zeros.

    Raises:
        ValueError: the datapath would not take a packet: why.
    """

    def __new__(
        cls,
        datapath: Datapath,
        packets: int,
        *,
        peer: bytes,
        service: int,
        connection: int,
        connections: int,
        metadata: bytes,
        payload_bytes: int,
        protection: int,
        is_covered: bool = False,
    ) -> Self: ...
    def __len__(self) -> int:
        """Packets that are not sent yet."""

    def send(self, socket: Socket, *, seconds: float, packets_per_s: float = 0.0) -> int:
        """Send for `seconds` or until all are sent; return the number of packets.

        As fast as the system takes them, or at an offered rate.
        """
