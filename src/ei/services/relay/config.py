"""What an operator may set of the relay."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0, le=366 * 24 * 3_600)]
Count = Annotated[int, Meta(ge=1, le=2**40)]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, sizes in bytes.

    Attributes:
        admission: With `tokens` an exit carries streams for a token alone; with `open` for nothing,
            such as in a domain that knows who may send to it at all.
        decision_s: How long packets of a circuit pass without asking again, at most.
        refusal_s: As `decision_s`, when they are refused.
        hold_s: How long a packet waits for a route, or for who operates a domain.
        circuit_s: How long a circuit without a packet is known; more than `decision_s`.
        circuits: That are known here at once.
        circuits_per_host: The same, of one host.
        circuits_per_node: The same, of those that come by one node.
        circuit_bytes_per_s: What a host may send and get by one circuit.
        circuit_burst_bytes: At once.
        key_s: For how long tokens are signed by one key. They are good for as long again.
        tokens_per_hour: That one host gets signed.
        asks_per_peer: Questions for keys of one peer that wait for an answer at once.
        ask_s: How long such a question waits, and who needs its answer.
        ask_again_s: How soon a node is asked again whose keys are known, when a token has another.
        tokens_per_key: How many tokens of one key are taken here.
        tokens: The same, of all keys that are good: so many are remembered as spent.
        token_s: For how long a token is good for new streams, from when it was taken.
        token_streams: How many of them at once.
        token_bytes_per_s: What all of them carry together, both ways.
        token_burst_bytes: At once.
        open_s: How long a server has to answer, up to 60.
        idle_s: How long a stream may be silent, up to a day.
    """

    admission: Literal["tokens", "open"]
    decision_s: Annotated[float, Meta(gt=0, le=3_600)]
    refusal_s: Annotated[float, Meta(gt=0, le=3_600)]
    hold_s: Annotated[float, Meta(gt=0, le=5)]
    circuit_s: Seconds
    circuits: Annotated[int, Meta(ge=1, le=32_000)]
    circuits_per_host: Count
    circuits_per_node: Count
    circuit_bytes_per_s: Count
    circuit_burst_bytes: Count
    key_s: Annotated[float, Meta(ge=1, le=7 * 24 * 3_600)]
    tokens_per_hour: Annotated[int, Meta(ge=0, le=2**32)]
    asks_per_peer: Count
    ask_s: Annotated[float, Meta(gt=0, le=60)]
    ask_again_s: Seconds
    tokens_per_key: Count
    tokens: Annotated[int, Meta(ge=1, le=450_000)]
    token_s: Seconds
    token_streams: Count
    token_bytes_per_s: Count
    token_burst_bytes: Count
    open_s: Annotated[float, Meta(gt=0, le=60)]
    idle_s: Annotated[float, Meta(gt=0, le=86_400)]

    def __post_init__(self) -> None:
        if self.circuit_s <= self.decision_s:
            raise ValueError(
                f"circuit_s: {self.circuit_s:g} seen, more than decision_s = {self.decision_s:g}"
                " allowed, else a circuit in use is forgotten"
            )
