"""Circuits, in the nodes before the exit: what comes by one pipe goes on by another.

    host ── first node ── others ── exit          there: metadata = the exit, empty on the last pipe
         c              c'        c'              back:  metadata = 1, source = the exit

The first node alone knows the host. It sends on under another address of its domain and with
another connection, both made by a keyed hash of host, connection and exit: so a circuit outlives
the loss of all that is remembered of it, as its host's next packet brings the same forth. All nodes
but the last are told which exit, and none but the exit what for.

A circuit that nobody uses is forgotten. When a pipe on its way goes down, those before are told.
"""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

from ei.sdk import (
    NOWHERE,
    Address,
    CancelTimer,
    Connection,
    Context,
    Decision,
    Effect,
    Forward,
    HoldPacket,
    Hop,
    InstallDecision,
    Key,
    Meter,
    Node,
    NodeAt,
    Operator,
    OperatorOf,
    Packet,
    Query,
    Resolve,
    RevokeDecisions,
    SendControl,
    SetTimer,
    Stage,
    Table,
    domain_number_of,
    forward,
    refuse,
    towards,
)
from ei.services.relay.circuits import CONNECTION_BYTES, Circuit, Circuits, eight
from ei.services.relay.config import Config
from ei.services.relay.messages import Ended

RELAY = 68
BACK = b"\x01"
"""Metadata of packets that come from the exit."""

CIRCUIT, LOST = b"c", b"l"
"""Of timers: a circuit that is to be forgotten, and a peer whose circuits are to end."""

SECRET_BYTES = 32
LOCAL_BYTES = 10
"""Of an address, behind prefix and domain."""
LOST_AT_ONCE = 256
CLOSED_S = 3.0
"""So long what is still on its way does not bring a circuit forth again that was closed."""

# -- packets --------------------------------------------------------------------------------------


def go_there(packet: Packet, ctx: Context[Config]) -> Iterator[Effect]:
    """Send on towards the exit, now and natively from now on; or say why not."""
    exit_node = Address(packet.metadata)
    circuits = Circuits(ctx.ephemeral)
    circuit = circuits.find(packet.ingress, packet.source, packet.connection, exit_node)
    if circuit is None and circuits.is_closed(
        packet.ingress, packet.source, packet.connection, exit_node
    ):
        yield from refuse(packet, "circuit_closed", ttl_s=ctx.config.refusal_s)
        return
    if circuit is None or circuit.after not in ctx.peers:
        found = _way(packet, exit_node, ctx)
        if isinstance(found, str):
            yield from say_no(packet, exit_node, found, ctx)
            return
        if isinstance(found, tuple):
            # All at once, since they are answered in their order, and it may wait but twice.
            for query in found[:-1]:
                yield Resolve(query)
            yield HoldPacket(until=found[-1], timeout_s=ctx.config.hold_s)
            return
        made = _circuit(packet, exit_node, found, ctx)
        if (word := _in_the_way(made, ctx, is_new=circuit is None)) is not None:
            yield from say_no(packet, exit_node, word, ctx)
            return
        circuits.remember(made)
        circuit = made
    yield SetTimer(CIRCUIT + circuit.name, ctx.config.circuit_s)
    yield from _install_back(circuit, packet.service, ctx)
    hop = Hop(
        circuit.after,
        metadata=b"" if circuit.after == exit_node else None,
        connection=Connection(circuit.onward) if circuit.is_of_host else None,
        source=circuit.pseudonym if circuit.is_of_host else None,
    )
    ttl_s = ctx.config.decision_s if circuit.after in ctx.peers else ctx.config.refusal_s
    yield from forward(packet, (hop,), ttl_s=ttl_s, tag=circuit.name, stages=_stages(circuit, ctx))


def come_back(packet: Packet, ctx: Context[Config]) -> Iterator[Effect]:
    """Send what comes from the exit to where the circuit came from."""
    circuit = Circuits(ctx.ephemeral).find_back(packet.ingress, packet.connection, packet.source)
    if circuit is None:
        yield from refuse(packet, "unknown_circuit", ttl_s=ctx.config.refusal_s)
        return
    yield SetTimer(CIRCUIT + circuit.name, ctx.config.circuit_s)
    stages = _stages(circuit, ctx)
    ttl_s, tag = ctx.config.decision_s, circuit.name
    yield from forward(packet, (_hop_back(circuit),), ttl_s=ttl_s, tag=tag, stages=stages)


def say_no(packet: Packet, exit_node: Address, word: str, ctx: Context[Config]) -> Iterable[Effect]:
    """Refuse a packet, and tell the one before why."""
    yield from refuse(packet, word, ttl_s=ctx.config.refusal_s)
    if packet.ingress in ctx.peers:
        ended = Ended(packet.source, eight(packet.connection), exit_node, word)
        yield SendControl(ended, to=packet.ingress)


def _way(
    packet: Packet, exit_node: Address, ctx: Context[Config]
) -> tuple[Query, ...] | str | Address:
    """Return the peer that leads to the exit, what is to be asked first, or why there is none."""
    answers = []
    if packet.ingress == packet.source:
        domain = domain_number_of(exit_node)
        answers = [why_same_operator(domain, ctx), why_no_relay(exit_node, ctx)]
    elif exit_node == ctx.node:
        answers = ["bad_exit"]
    words = [each for each in answers if isinstance(each, str)]
    if words:
        return words[0]
    missing = [each for each in answers if each is not None and not isinstance(each, str)]
    ways = towards((exit_node,), packet, ctx)
    if missing or not isinstance(ways, tuple):
        return (*missing, ways) if not isinstance(ways, tuple) else tuple(missing)
    # One that is down is called by a packet, but not while that would only wait for the dead.
    circuits = Circuits(ctx.ephemeral)
    usable = [way.hop for way in ways if way.is_up or not circuits.is_lost(way.hop)]
    return usable[0] if usable else "exit_unreachable"


def why_same_operator(domain: int, ctx: Context[Config]) -> Query | str | None:
    """Return why a domain is not another operator's than this node's, or what to ask first."""
    if domain == ctx.domain:
        return "same_operator"
    query = OperatorOf(domain)
    if query not in ctx.records:
        return query
    record = ctx.records[query]
    if not isinstance(record, Operator):
        return "unknown_operator"
    return "same_operator" if record.is_own else None


def why_no_relay(node: Address, ctx: Context[Config]) -> Query | str | None:
    """Return why an address is none of a node that runs the relay, or what to ask first."""
    query = NodeAt(node)
    if query not in ctx.records:
        return query
    record = ctx.records[query]
    return None if isinstance(record, Node) and RELAY in record.services else "bad_exit"


def _in_the_way(made: Circuit, ctx: Context[Config], *, is_new: bool) -> str | None:
    """Return why a circuit cannot be, if it cannot."""
    circuits, config = Circuits(ctx.ephemeral), ctx.config
    if circuits.is_anothers(made):
        return "circuit_in_use"
    most = config.circuits_per_host if made.is_of_host else config.circuits_per_node
    is_full = circuits.count(made.before) >= most or circuits.count() >= config.circuits
    return "too_many_circuits" if is_new and is_full else None


def _circuit(packet: Packet, exit_node: Address, after: Address, ctx: Context[Config]) -> Circuit:
    source, connection = packet.source, packet.connection
    pseudonym, onward = source, int(connection)
    if packet.ingress == source:
        size = LOCAL_BYTES + CONNECTION_BYTES
        said = source + eight(connection) + exit_node
        hashed = blake2b(said, digest_size=size, key=_secret(ctx)).digest()
        pseudonym = Address(ctx.node[:-LOCAL_BYTES] + hashed[:LOCAL_BYTES])
        onward = int.from_bytes(hashed[LOCAL_BYTES:], "big")
    return Circuit(packet.ingress, source, connection, exit_node, after, pseudonym, onward)


def _secret(ctx: Context[Config]) -> bytes:
    """Return what pseudonyms are made by."""
    table = Table(ctx.stable, "secret", bytes)
    secret = table.get(b"")
    if secret is None:
        secret = ctx.random.randbytes(SECRET_BYTES)
        table.put(b"", secret)
    return secret


def _install_back(circuit: Circuit, service: int, ctx: Context[Config]) -> Iterator[Effect]:
    key = Key(
        ingress=circuit.after,
        source=circuit.exit,
        connection=Connection(circuit.onward),
        metadata=BACK,
        egress=NOWHERE,
        service=service,
    )
    action = Forward((_hop_back(circuit),))
    yield InstallDecision(
        Decision(key, action, ctx.config.decision_s, circuit.name, _stages(circuit, ctx))
    )


def _hop_back(circuit: Circuit) -> Hop:
    is_of_host = circuit.is_of_host
    return Hop(circuit.before, connection=Connection(circuit.connection) if is_of_host else None)


def _stages(circuit: Circuit, ctx: Context[Config]) -> tuple[Stage, ...]:
    """Return what bounds a host, at the one node that knows it."""
    if not circuit.is_of_host:
        return ()
    config = ctx.config
    meter = Meter(circuit.name, config.circuit_bytes_per_s, config.circuit_burst_bytes)
    return (meter,)


# -- their ends -----------------------------------------------------------------------------------


def hear_end(ended: Ended, sender: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Forget a circuit that has ended at a peer, and tell whoever is on the other side of it."""
    circuits, connection = Circuits(ctx.ephemeral), int.from_bytes(ended.connection, "big")
    circuit = circuits.find_back(sender, connection, ended.exit)
    if circuit is not None:
        yield from _end(circuit, ended.word, ctx)
        return
    circuit = circuits.find(sender, ended.source, connection, ended.exit)
    if circuit is None:
        return
    yield from _forget(circuit, ctx)
    circuits.note_closed(circuit, ttl_s=CLOSED_S)
    if circuit.after in ctx.peers and circuit.after != circuit.exit:
        said = Ended(circuit.pseudonym, eight(circuit.onward), circuit.exit, ended.word)
        yield SendControl(said, to=circuit.after)


def lose(peer: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """End the circuits by a peer whose pipe is down, some now and the others right after."""
    if peer in ctx.peers:
        return
    circuits, ended = Circuits(ctx.ephemeral), 0
    for circuit in circuits.of_peer(peer, LOST_AT_ONCE):
        ended += 1
        if circuit.after == peer:
            circuits.note_lost(peer, ttl_s=ctx.config.hold_s)
        if circuit.before == peer or not _leads_on(circuit, ctx):
            yield from _end(circuit, "hop_lost", ctx)
        else:
            circuits.loosen(circuit)  # the next packet takes another way
    if ended == LOST_AT_ONCE:
        yield SetTimer(LOST + peer, 0.0)


def expire(name: bytes, ctx: Context[Config]) -> Iterator[Effect]:
    """Forget a circuit that had no packet for long."""
    circuit = Circuits(ctx.ephemeral).named(name)
    if circuit is not None:
        yield from _forget(circuit, ctx)


def _forget(circuit: Circuit, ctx: Context[Config]) -> Iterator[Effect]:
    """Remember nothing of a circuit, here and natively."""
    Circuits(ctx.ephemeral).forget(circuit)
    yield CancelTimer(CIRCUIT + circuit.name)
    yield RevokeDecisions(tag=circuit.name)


def _end(circuit: Circuit, word: str, ctx: Context[Config]) -> Iterator[Effect]:
    yield from _forget(circuit, ctx)
    if circuit.before in ctx.peers:
        said = Ended(circuit.source, eight(circuit.connection), circuit.exit, word)
        yield SendControl(said, to=circuit.before)


def _leads_on(circuit: Circuit, ctx: Context[Config]) -> bool:
    """Return whether another way to the exit is up."""
    packet = Packet(RELAY, circuit.before, circuit.source, Connection(circuit.connection))
    ways = towards((circuit.exit,), packet, ctx)
    return isinstance(ways, tuple) and any(way.is_up for way in ways)
