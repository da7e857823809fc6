from ei.runtime.environment import Environment
from ei.sdk import Address, Count, DropPacket, SendPacket
from ei.testing.toys import TOY_NUMBER, toy, toy_manifest, toy_packet

NODE = Address(b"n" * 16)


def test_a_toy_drops_packets() -> None:
    environment = Environment(toy(), node=NODE, seed=b"1")

    assert environment.deliver(toy_packet(), now_s=0.0) == (DropPacket("unwanted"),)


def test_a_toy_does_what_its_functions_say() -> None:
    loaded = toy(on_packet=lambda event, _ctx: [SendPacket(event.packet, NODE), Count("seen")])
    environment = Environment(loaded, node=NODE, seed=b"1")

    effects = environment.deliver(toy_packet(), now_s=0.0)

    assert effects == (SendPacket(toy_packet().packet, NODE), Count("seen"))


def test_a_manifest_is_generous_where_nothing_is_said() -> None:
    assert toy_manifest().id == TOY_NUMBER
    assert toy_manifest(handler_ms=3).handler_ms == 3


def test_a_packet_comes_by_the_pipe_of_its_source() -> None:
    packet = toy_packet(b"s" * 16, metadata=b"m", payload=b"p").packet

    assert packet.ingress == packet.source == b"s" * 16
    assert (packet.service, packet.metadata, packet.payload) == (TOY_NUMBER, b"m", b"p")
