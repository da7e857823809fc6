"""SOCKS version 5 as it is on the wire (RFC 1928), pure: without authentication.

greeting   05 | count | methods ...                                 answer   05 | method
request    05 | command | 00 | kind | address | port u16            answer   05 | reply | 00 | ...
datagram   00 00 | fragment | kind | address | port u16 | data      big-endian; kind 1 IPv4,
                                                                    3 length and name, 4 IPv6
"""

import ipaddress
from dataclasses import dataclass
from enum import IntEnum

VERSION = 5
NO_AUTHENTICATION = 0
NONE_ACCEPTABLE = 0xFF
CONNECT = 1
UDP_ASSOCIATE = 3
MAX_NAME = 255
PORT_BYTES = 2
SPACE = 0x20


class Reply(IntEnum):
    """Answers to a request."""

    SUCCEEDED = 0
    FAILURE = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    HOST_UNREACHABLE = 4
    REFUSED = 5
    EXPIRED = 6
    UNKNOWN_COMMAND = 7
    UNKNOWN_ADDRESS = 8


class SocksError(ValueError):
    """What came is not SOCKS, or more than is taken; `reply` says which."""

    def __init__(self, text: str, reply: Reply = Reply.FAILURE) -> None:
        super().__init__(text)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Request:
    """What a program wants.

    Attributes:
        command: `CONNECT`, `UDP_ASSOCIATE` or another number.
        host: A name, or an address as text.
    """

    command: int
    host: str
    port: int


def choose_method(methods: bytes) -> int:
    """Return the method for those that a greeting offers; there is one only."""
    return NO_AUTHENTICATION if NO_AUTHENTICATION in methods else NONE_ACCEPTABLE


def missing_of_request(head: bytes) -> int:
    """Return how many bytes of a request are still to come after the first that came, 5 or more.

    Raises:
        SocksError: it is none.
    """
    if head[0] != VERSION or head[2] != 0:
        raise SocksError("no request of SOCKS 5")
    length = _address_bytes(head[3], head[4])
    return 4 + length + PORT_BYTES - len(head)


def read_request(whole: bytes) -> Request:
    """Parse a request.

    Raises:
        SocksError: its address cannot be one.
    """
    host, port, _ = _read_place(whole, 3)
    return Request(whole[1], host, port)


def write_reply(reply: Reply, host: str = "0.0.0.0", port: int = 0) -> bytes:  # noqa: S104 RFC 1928
    """Return the answer to a request; `host` and `port` are where datagrams are taken."""
    return bytes((VERSION, reply, 0)) + write_place(host, port)


def read_datagram(whole: bytes) -> tuple[str, int, bytes]:
    """Parse a datagram of a program: (host, port, data).

    Raises:
        SocksError: it is none, or a fragment: these are optional, and nobody sends them.
    """
    if len(whole) < 5 or whole[:2] != b"\0\0":  # noqa: PLR2004 up to the first byte of the address
        raise SocksError("no datagram of SOCKS 5")
    if whole[2]:
        raise SocksError("a fragment of a datagram")
    host, port, rest = _read_place(whole, 3)
    return host, port, rest


def write_datagram(host: str, port: int, data: bytes) -> bytes:
    """Return a datagram to a program, from `host`."""
    return b"\0\0\0" + write_place(host, port) + data


def write_place(host: str, port: int) -> bytes:
    """Return kind, address and port."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna" if not host.isascii() else "ascii")
        packed = bytes((3, len(name))) + name
    else:
        packed = bytes((1 if address.version == 4 else 4,)) + address.packed  # noqa: PLR2004
    return packed + port.to_bytes(PORT_BYTES, "big")


def _read_place(whole: bytes, at: int) -> tuple[str, int, bytes]:
    """Return host, port and what follows, of the kind that begins at `at`."""
    kind = whole[at]
    end = at + 1 + _address_bytes(kind, whole[at + 1])
    if len(whole) < end + PORT_BYTES:
        raise SocksError("it ends in its address")
    if kind == 3:  # noqa: PLR2004 the kinds are drawn above
        name = whole[at + 2 : end]
        if not name or any(byte <= SPACE or byte >= 0x7F for byte in name):  # noqa: PLR2004
            raise SocksError("a name of other than printed characters", Reply.UNKNOWN_ADDRESS)
        host = name.decode("ascii")
    else:
        host = str(ipaddress.ip_address(whole[at + 1 : end]))
    port = int.from_bytes(whole[end : end + PORT_BYTES], "big")
    return host, port, whole[end + PORT_BYTES :]


def _address_bytes(kind: int, first: int) -> int:
    """Return the length of an address, with that of a name before it."""
    lengths = {1: 4, 3: 1 + first, 4: 16}
    if kind not in lengths:
        raise SocksError(f"an address of kind {kind}", Reply.UNKNOWN_ADDRESS)
    return lengths[kind]
