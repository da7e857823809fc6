"""What was lost is sent again: by the nearest node that still has it.

A sender numbers its packets in the first 8 bytes of their payloads, and each node keeps the last
ones of each stream in native code. Who misses some tells its node; a node that does not have them
either asks the next one towards the root, and the root asks the source. What comes to a node again
is a packet like any other: all behind it lacked it, and get it.
"""

from collections.abc import Iterator

from ei.sdk import Address, Context, Count, Effect, Keep, NotKept, Packet, SendControl, SendKept
from ei.services.multicast.growing import Config
from ei.services.multicast.members import ADDRESS_BYTES, Members
from ei.services.multicast.messages import Missing
from ei.services.multicast.trees import Trees, root_of

DOWN = b"\x02"
"""Mark of a packet on its way from the root to the members."""


def keep(packet: Packet, group: bytes, ctx: Context[Config]) -> tuple[Keep, ...]:
    """Return the stage that keeps the packets of a stream; none when its sender has too many."""
    config = ctx.config
    history = history_of(group, packet.source, packet.connection.to_bytes(8, "big"))
    ttl_s = config.membership_s
    if not Trees(ctx.ephemeral).keeps(history, config.histories_per_sender, ttl_s=ttl_s):
        return ()
    return (Keep(history, config.history_packets, config.history_bytes),)


def history_of(group: bytes, source: bytes, connection: bytes) -> bytes:
    """Return the name of the history of a stream."""
    return group + source + connection


def repair(missing: Missing, peer: Address, ctx: Context[Config]) -> Iterator[Effect]:
    """Send again what a member or a branch misses."""
    trees, group = Trees(ctx.ephemeral), missing.group
    member = Members(ctx.ephemeral).find(group, peer)
    tree = trees.tree_of(group, Address(missing.source))
    if member is not None and member.is_known:
        metadata = group
    elif tree is not None and trees.has_branch(tree, peer) and trees.is_node(peer):
        metadata = tree + DOWN
    else:
        yield Count("repair_refused")
        return
    if not trees.spend(peer, len(missing.numbers), ctx.config.repairs_per_s, now_s=ctx.now_s):
        yield Count("repair_refused")
        return
    history = history_of(group, missing.source, missing.connection)
    yield SendKept(history, missing.numbers, peer, metadata)


def look_further(event: NotKept, ctx: Context[Config]) -> Iterator[Effect]:
    """Ask for what is not kept here where the stream comes from."""
    trees, history = Trees(ctx.ephemeral), event.object
    group, source = history[:ADDRESS_BYTES], Address(history[ADDRESS_BYTES : 2 * ADDRESS_BYTES])
    connection = history[2 * ADDRESS_BYTES :]
    tree = trees.tree_of(group, source)
    is_root = tree is not None and root_of(tree) == ctx.node
    whom = source if is_root else None if tree is None else trees.parent(tree)
    if whom is None or whom not in ctx.peers:
        yield Count("unrepaired", len(event.names))
        return
    wanted = tuple(
        name for name in event.names if trees.ask(history + name, ttl_s=ctx.config.again_s)
    )
    if wanted:
        yield SendControl(Missing(group, source, connection, wanted), to=whom)
