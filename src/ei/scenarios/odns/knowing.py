"""Who learns what, and what the sizes of packets tell."""

import struct
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from ei.lab.canaries import Canary, text_canary
from ei.lab.knowledge import show
from ei.lab.promises import Promise, promise
from ei.lab.sniffing import Flow, Sniffer
from ei.lab.witness import Link, Node, Program, Seat, Witness, watching
from ei.runtime.loader import load_service
from ei.scenarios.odns.asking import StubProcess, dig
from ei.scenarios.odns.bind import ZONE
from ei.scenarios.odns.ground import NEAR, PROXY, QUINCE, Ground
from ei.sdk.knowledge import Party

QUESTION_BYTES = 450
"""Longer packets of a pipe carry questions and answers: what else pipes say is shorter."""

ASKED = 40
_FILE_HEAD, _PACKET_HEAD = 24, 16
_UDP = 17
_HEADERS = 28
"""Of IPv4 and UDP."""


async def hidden(ground: Ground, asking: StubProcess) -> AsyncIterator[Promise]:
    """Each party learns what the manifest says."""
    resolver = ground.resolver
    seats: dict[Party, Seat] = {
        "first_node": Node(PROXY),
        "last_node": Node(NEAR),
        "first_link": Link(f"{QUINCE}.isp-a", PROXY),
        "middle_link": Link(PROXY, NEAR),
        "last_link": Link("*", resolver.endpoint),
        "target": Program((resolver.pid,), (ground.folder / "bind",)),
    }
    async with watching(ground.lab, seats) as witness:
        canaries = canaries_of(ground, witness)
        for words in ((), ("+tcp",), ("+dnssec",)):
            _ = await dig(asking.port, resolver.hidden, "TXT", *words, environ=ground.environ)
        _ = await witness.look(canaries)
        _ = await dig(asking.port, resolver.hidden, "TXT", environ=ground.environ)
        looked = await witness.look(canaries)
    together: list[tuple[Party, Party]] = [("first_node", "last_node")]
    for each in show(looked, load_service("odns").manifest.knows, canaries, together=together):
        yield each


def canaries_of(ground: Ground, witness: Witness) -> list[Canary]:
    """Return what is looked for."""
    resolver = ground.resolver
    return [
        *witness.canaries_of(QUINCE),
        text_canary("target", "name that is asked for", resolver.hidden.partition(".")[0]),
        text_canary("payload", "text of the answer", resolver.secret),
    ]


async def sized(ground: Ground, asking: StubProcess) -> AsyncIterator[Promise]:
    """Questions of any length are packets of one size on each pipe."""
    path = ground.folder / "sizes.pcap"
    proxy = ground.lab.endpoint(PROXY)
    sniffer = Sniffer(
        path,
        lambda flow: proxy in _ends(flow),
        addresses=[proxy.rpartition(":")[0]],
    )
    try:
        for count in range(ASKED):
            name = f"{'x' * (1 + count)}.{ZONE}"
            _ = await dig(asking.port, name, "A", environ=ground.environ)
    finally:
        sniffer.stop()
    sizes: dict[tuple[str, str], list[int]] = {}
    for flow, size in packets_of(path):
        if size >= QUESTION_BYTES:
            sizes.setdefault(_ends(flow), []).append(size)
    host, near = _side(ground, f"{QUINCE}.isp-a"), _side(ground, NEAR)
    for what, ends in (
        ("from host to proxy", (host, proxy)),
        ("from proxy to target", (proxy, near)),
    ):
        seen = apart(sizes.get(ends, []))
        yield promise(
            f"sizes that packets with {ASKED} questions of different lengths have, {what}",
            len(set(seen)),
            "==",
            1,
            unit="sizes",
            is_valid=len(seen) >= ASKED,
        )


def apart(sizes: list[int]) -> list[int]:
    """Return the sizes of packets, also of those that are one train here: several of one size."""
    shortest = min(sizes, default=0) - _HEADERS
    found: list[int] = []
    for size in sizes:
        count, rest = divmod(size - _HEADERS, shortest)
        found += [size] if rest else [shortest + _HEADERS] * count
    return found


def _side(ground: Ground, other: str) -> str:
    """Return where the proxy sends what is for another, and has what comes from it: the link."""
    link = next(each for each in ground.lab.relays if {each.a, each.b} == {PROXY, other})
    return link.a_side if link.a == PROXY else link.b_side


def packets_of(path: Path) -> Iterator[tuple[Flow, int]]:
    """Yield flow and length of each UDP packet in a file of `Sniffer`."""
    data = path.read_bytes()
    at = _FILE_HEAD
    while at < len(data):
        (size,) = struct.unpack_from("=I", data, at + 8)
        packet = data[at + _PACKET_HEAD : at + _PACKET_HEAD + size]
        at += _PACKET_HEAD + size
        if packet[0] >> 4 == 4 and packet[9] == _UDP:  # noqa: PLR2004 IPv4
            head = (packet[0] & 15) * 4
            source, to = struct.unpack_from("!HH", packet, head)
            yield (_dotted(packet[12:16]), source, _dotted(packet[16:20]), to), size


def _ends(flow: Flow) -> tuple[str, str]:
    source, source_port, to, to_port = flow
    return f"{source}:{source_port}", f"{to}:{to_port}"


def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))
