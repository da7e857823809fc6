"""Tokens by hand: asked for, and shown where and when nobody should take them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from random import SystemRandom
from typing import TypeVar

import msgspec

from ei.errors import EiError
from ei.host.channels import ControlChannel
from ei.host.client import Host
from ei.lab.load import attach_fully, until
from ei.lab.promises import Promise, promise
from ei.scenarios.relay.ground import (
    BOB,
    BRISK,
    CAROL,
    EXIT,
    FIRST,
    OTHER_EXIT,
    SAME_OPERATOR,
    SLOW_EXIT,
    World,
    only,
)
from ei.sdk import Address
from ei.services.relay.client import PrivateRelay, relaying
from ei.services.relay.client_purse import Purse
from ei.services.relay.client_streams import ask
from ei.services.relay.messages import (
    Admission,
    AskKeys,
    Ended,
    IssuerKeys,
    Signed,
    Validity,
    read_keys,
)
from ei.services.relay.tokens import key_id
from ei.ways.exits import RELAY

ANSWER_S = 3.0
SHOW_S = 3.0
ROTATIONS = 3
KEY_S = 8.0
"""Of `BRISK`, in the topology."""
EVERY_S = 0.5
KindT = TypeVar("KindT", IssuerKeys, Signed)
MESSAGES: msgspec.msgpack.Decoder[IssuerKeys | Signed | Ended] = msgspec.msgpack.Decoder(
    IssuerKeys | Signed | Ended
)


async def spent_twice(world: World) -> AsyncIterator[Promise]:
    """Show a token again: there, there after a crash, next to it, and at another operator's."""
    host, issuer = world.lab.host(CAROL), world.quince.find(FIRST)
    exits = {name: host.find(name) for name in (EXIT, OTHER_EXIT, SLOW_EXIT)}
    with closing(host.controls(RELAY)) as controls:
        key = (await keys_of(controls, issuer))[0].key
        token, fresh = (await tokens_for(controls, issuer, key, exits[EXIT]))[:2]
    first = await shown(host, exits[EXIT], issuer, token)
    yield promise("a token is taken: word", first, "==", "admitted")
    again = await shown(host, exits[EXIT], issuer, token)
    yield promise("the same token again, at the same node", again, "==", "token_spent")
    await world.lab.kill(EXIT)
    await world.lab.start(EXIT)
    after = await shown_once_up(world, host, exits[EXIT], issuer, token)
    what = "again after kill -9 of that node, and its restart"
    yield promise(f"the same token {what}", after, "==", "token_spent")
    for name, where in (
        (OTHER_EXIT, "another node of its domain"),
        (SLOW_EXIT, "another operator's"),
    ):
        for each, how in ((token, "a spent"), (fresh, "an unspent")):
            word = await shown(host, exits[name], issuer, each)
            yield promise(f"{how} token for one node, at {where}", word, "==", "token_elsewhere")
    late = await shown(host, exits[EXIT], issuer, fresh)
    yield promise("the unspent one where it is good", late, "==", "admitted")


async def of_one_operator(world: World) -> AsyncIterator[Promise]:
    """Ask for both hops in one domain, and in two of one operator: by choice, and by force."""
    host = world.quince
    for name, where in (
        ("sn2.isp-a", "one domain"),
        (SAME_OPERATOR, "two domains of one operator"),
    ):
        async with world.relaying(exit=name) as chosen:
            refusal = await why_not(chosen)
        is_said = "run by acme" in refusal and "isp-b" in refusal
        what = f"both hops in {where} are refused by the host, which says whose, and what would do"
        yield promise(what, is_said, "==", limit=True)
        forcing = relaying(host, exit=only(host.find(name)))
        async with forcing as forced:
            refusal = await why_not(forced)
        what = f"both hops in {where} are refused by the node, whatever the host wants"
        yield promise(what, "has the operator of the node in use" in refusal, "==", limit=True)


async def rotated(world: World) -> AsyncIterator[Promise]:
    """Show tokens while their issuer goes over to new keys, each some time after it was signed."""
    host, issuer = world.lab.host(BOB), world.quince.find(BRISK)
    exit_node = host.find(EXIT)
    names = set[bytes]()
    words = list[str]()
    old: list[bytes] = []
    until_s = world.lab.now_s() + ROTATIONS * KEY_S
    with closing(host.controls(RELAY)) as controls:
        while world.lab.now_s() < until_s:
            key = (await keys_of(controls, issuer))[0].key
            names.add(key_id(key))
            token, kept = (await tokens_for(controls, issuer, key, exit_node))[:2]
            old.append(kept)
            words.append(await shown(host, exit_node, issuer, token))
            await world.lab.sleep(EVERY_S)
    refused = sum(word != "admitted" for word in words)
    yield promise(
        f"tokens that are refused while their issuer has {ROTATIONS} new keys",
        refused,
        "==",
        0,
        is_valid=len(names) >= ROTATIONS and len(words) >= ROTATIONS,
    )
    word = await shown(host, exit_node, issuer, old[0])
    is_over = word in {"old_key", "unknown_key"}
    yield promise("a token whose key is over is refused", is_over, "==", limit=True)


async def why_not(relay: PrivateRelay) -> str:
    """Return why a relay has no circuit, with what would help; empty if it has one."""
    try:
        await relay.ready(deadline_s=SHOW_S)
    except EiError as error:
        return f"{error} {error.remedy}"
    return ""


async def keys_of(controls: ControlChannel, issuer: Address) -> tuple[Validity, ...]:
    """Return the keys by which an issuer signs, the one in use first; asked until it has one."""
    question = msgspec.msgpack.encode(AskKeys(issuer))
    while True:
        controls.send(question, node=issuer)
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await _answer(controls, IssuerKeys)
        except TimeoutError:
            continue
        if keys := read_keys(answer.body):
            return keys


async def tokens_for(
    controls: ControlChannel, issuer: Address, key: bytes, exit_node: Address
) -> list[bytes]:
    """Have tokens signed that are good at one exit."""
    purse = Purse(SystemRandom())
    batch = purse.draw(issuer, key, exit_node)
    controls.send(msgspec.msgpack.encode(batch.question(1)), node=issuer)
    async with asyncio.timeout(ANSWER_S):
        purse.put(batch, await _answer(controls, Signed))
    taken: list[bytes] = []
    while (token := purse.take(issuer, key, exit_node)) is not None:
        taken.append(token)
    return taken


async def shown(host: Host, exit_node: Address, issuer: Address, token: bytes) -> str:
    """Show a token in a circuit of its own; return why it is refused in a word, or `admitted`."""
    try:
        circuit = await host.open_circuit(exit_node, service=RELAY, deadline_s=SHOW_S)
    except EiError as error:
        return f"no circuit: {error}"
    try:
        status = await ask(circuit, Admission(issuer, token), deadline_s=SHOW_S)
    except EiError as error:
        return f"no answer: {error}"
    finally:
        connection = circuit.connection.to_bytes(8, "big")
        closed = Ended(host.address, connection, circuit.exit, "closed")
        host.send_control(RELAY, msgspec.msgpack.encode(closed), node=circuit.node)
        circuit.close()
    return status.word or "admitted"


async def shown_once_up(
    world: World, host: Host, exit_node: Address, issuer: Address, token: bytes
) -> str:
    """Show a token as soon as its exit can be asked again."""
    word = ""

    async def is_answered() -> bool:
        nonlocal word
        word = await shown(host, exit_node, issuer, token)
        return not word.startswith("no ")

    await attach_fully(world.lab.host("web.isp-b"), deadline_s=20.0)
    _ = await until(world.lab, is_answered, limit_s=20.0, every_s=0.1)
    return word


async def _answer(controls: ControlChannel, kind: type[KindT]) -> KindT:
    while True:
        received = await controls.receive(deadline_s=ANSWER_S)
        message = MESSAGES.decode(received.message)
        if isinstance(message, kind):
            return message
