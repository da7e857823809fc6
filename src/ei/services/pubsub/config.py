"""What an operator may set of pub/sub."""

from ipaddress import IPv6Address

import msgspec

from ei.sdk import Address


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes in bytes, times in seconds.

    Attributes:
        nodes: Addresses of the nodes of the exchange, this one included: what is published at one
            reaches those who subscribe at any. Empty: this node alone.
        decision_s: How long packets are copied the same way without asking again, at most.
        refusal_s: As `decision_s`, of packets that nobody wants.
        history_s: For how long a message is in the log.
        history_bytes: The log is cut when it is larger.
        retained_bytes: Of retained messages; more are refused.
        retained_bytes_per_host: The same, of those that one host published.
        publisher_s: For so long at least the last number of a publisher is known.
        publishers: Series of messages in so long a time; more are refused.
        publishers_per_host: The same, of one host.
        wishes_per_host: Filters that a host may have, for packets.
        wish_bytes_per_host: The same, by the bytes of all their beginnings, as each is remembered.
        followers_per_host: As `wishes_per_host`, of the log, on all of its streams.
        names_per_host: Places that are remembered for a host.
        names: The same, of all hosts.
    """

    nodes: tuple[str, ...]
    decision_s: float
    refusal_s: float
    history_s: float
    history_bytes: int
    retained_bytes: int
    retained_bytes_per_host: int
    publisher_s: float
    publishers: int
    publishers_per_host: int
    wishes_per_host: int
    wish_bytes_per_host: int
    followers_per_host: int
    names_per_host: int
    names: int

    def __post_init__(self) -> None:
        for node in self.nodes:
            try:
                _ = IPv6Address(node)
            except ValueError as error:
                raise ValueError(f"nodes: not the address of a node: {error}") from error

    @property
    def exchange(self) -> tuple[Address, ...]:
        """The addresses of `nodes`."""
        return tuple(Address(IPv6Address(node).packed) for node in self.nodes)
