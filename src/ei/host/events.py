"""What happens to a host, as its stack tells it."""

import msgspec

from ei.sdk.packets import Address


class AttachmentChanged(msgspec.Struct, frozen=True):
    """The pipe to one of the host's nodes came up or went down."""

    node: Address
    is_up: bool


class DatagramReceived(msgspec.Struct, frozen=True, gc=False):
    """A datagram whose source is proven. `number` is set when the source wants a receipt."""

    source: Address
    source_port: int
    port: int
    data: bytes
    number: int | None


class ReceiptReceived(msgspec.Struct, frozen=True, gc=False):
    """The destination's own statement about the datagram `number`."""

    source: Address
    number: int
    is_delivered: bool


class EchoReceived(msgspec.Struct, frozen=True, gc=False):
    """An answer to `ping`, received at `now_ns`."""

    source: Address
    number: int
    data: bytes
    now_ns: int


class PacketReceived(msgspec.Struct, frozen=True, gc=False):
    """A packet of a service other than delivery, as the service sent it.

    Attributes:
        node: Whose pipe delivered it.
        source: The host or node that it speaks for: a claim, unless its payload proves it.
        protection: As in `ei.sdk.packets.Protection`.
    """

    node: Address
    service: int
    source: Address
    connection: int
    metadata: bytes
    payload: bytes
    protection: int
    is_traced: bool


class ControlReceived(msgspec.Struct, frozen=True, gc=False):
    """A control message of a service at one of the host's nodes."""

    node: Address
    service: int
    message: bytes


HostEvent = (
    AttachmentChanged
    | DatagramReceived
    | ReceiptReceived
    | EchoReceived
    | PacketReceived
    | ControlReceived
)
