import msgspec
import pytest

from ei.sdk import Address, Connection, Packet, Protection

PACKET = Packet(
    service=16,
    ingress=Address(b"i" * 16),
    source=Address(b"s" * 16),
    connection=Connection(2**64 - 1),
    metadata=b"m",
    payload=b"p",
    traffic_class=1,
    hop_limit=63,
    protection=Protection.STREAMS,
    is_covered=True,
    is_traced=False,
    egress=Address(b"e" * 16),
)

# Twelve fields in their order; native code reads and writes the same bytes.
GOLDEN = (
    "9c10c410" + "69" * 16 + "c410" + "73" * 16 + "cfffffffffffffffff"
    "c4016dc40170013f02c3c2c410" + "65" * 16
)


def test_a_packet_is_an_array_of_its_fields() -> None:
    assert msgspec.msgpack.encode(PACKET).hex() == GOLDEN
    assert msgspec.msgpack.decode(bytes.fromhex(GOLDEN), type=Packet) == PACKET


def test_a_packet_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        PACKET.hop_limit = 1  # type: ignore[misc]
