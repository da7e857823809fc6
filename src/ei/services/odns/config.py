"""Configuration of oblivious DNS, as `[config.odns]` of a node has it."""

from ipaddress import ip_address
from typing import Annotated

import msgspec
from msgspec import Meta

from ei.sdk import Legacy

_MAX_PORT = 65_535
Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds.

    Attributes:
        resolver: Whom a target asks, `IP:PORT`; empty: this node is no target.
        sockets: Own ports by which it is asked, 1 to 64.
        socket_s, socket_questions: A port is replaced after so long, or so many questions.
        asked: Questions that it has not answered yet, at most.
        asked_s: How long it has for an answer.
        answer_s: How long a proxy waits for the target.
        replay_s: A query that comes again within this is dropped.
        keys_s: A target has new keys each time.
        overlap_s: So long it opens what was sealed to the ones before.
        hold_s: How long a packet waits for what the node has to say.
        open_s: How long a stream may take to be open.
        idle_s: How long a stream may be silent.
        source_per_s, source_burst: Questions of one host that a proxy passes on.
        peer_per_s, peer_burst: Questions that a target takes by one peer.
    """

    resolver: str
    sockets: Annotated[int, Meta(ge=1, le=64)]
    socket_s: Seconds
    socket_questions: Count
    asked: Count
    asked_s: Seconds
    answer_s: Seconds
    replay_s: Seconds
    keys_s: Annotated[float, Meta(ge=1)]
    overlap_s: Annotated[float, Meta(ge=1)]
    hold_s: Annotated[float, Meta(gt=0, le=5)]
    open_s: Annotated[float, Meta(gt=0, le=60)]
    idle_s: Annotated[float, Meta(gt=0, le=3_600)]
    source_per_s: Seconds
    source_burst: Annotated[float, Meta(ge=1)]
    peer_per_s: Seconds
    peer_burst: Annotated[float, Meta(ge=1)]

    def __post_init__(self) -> None:
        if self.resolver:
            _ = resolver_of(self.resolver)


def resolver_of(text: str) -> Legacy:
    """Return the resolver of a configuration, to be asked by UDP.

    Raises:
        ValueError: It is none.
    """
    host, _, port = text.rpartition(":")
    address = host.removeprefix("[").removesuffix("]")
    try:
        _ = ip_address(address)
        is_port = port.isdecimal() and 1 <= int(port) <= _MAX_PORT
    except ValueError:
        is_port = False
    if not is_port:
        raise ValueError(f"resolver: {text!r} seen, IP:PORT allowed, such as 192.0.2.53:53")
    return Legacy(address, int(port), "udp")
