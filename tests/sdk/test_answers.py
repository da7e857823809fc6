from ei.sdk import (
    Address,
    Connection,
    Decision,
    Discard,
    DropPacket,
    Forward,
    Hop,
    InstallDecision,
    Packet,
    Pass,
    PassPacket,
    SendPacket,
    Tally,
    forward,
    hand_on,
    key_of,
    refuse,
)

A, B = Address(b"a" * 16), Address(b"b" * 16)
PACKET = Packet(16, A, A, Connection(1), b"m", b"payload")
COUNTED = (Tally(b"t"),)


def test_the_packet_at_hand_is_copied_as_the_decision_will_copy_the_next() -> None:
    hops = (Hop(A), Hop(B, metadata=b"", connection=Connection(9)), Hop(B, metadata=b"x", source=B))

    effects = list(forward(PACKET, hops, ttl_s=2.0, tag=b"t", stages=COUNTED))

    assert effects == [
        InstallDecision(Decision(key_of(PACKET), Forward(hops), 2.0, b"t", COUNTED)),
        SendPacket(PACKET, A, COUNTED),
        SendPacket(Packet(16, A, A, Connection(9), b"", b"payload"), B, COUNTED),
        SendPacket(Packet(16, A, B, Connection(1), b"x", b"payload"), B, COUNTED),
    ]


def test_a_hop_that_changes_nothing_gets_the_very_packet() -> None:
    _, send = forward(PACKET, (Hop(A),), ttl_s=2.0)

    assert isinstance(send, SendPacket)
    assert send.packet is PACKET


def test_the_packet_at_hand_is_handed_on_as_the_next_will_be() -> None:
    assert list(hand_on(PACKET, ttl_s=2.0, tag=b"t", stages=COUNTED)) == [
        InstallDecision(Decision(key_of(PACKET), Pass(), 2.0, b"t", COUNTED)),
        PassPacket(PACKET, COUNTED),
    ]


def test_the_packet_at_hand_is_refused_as_the_next_will_be() -> None:
    assert list(refuse(PACKET, "no", ttl_s=2.0, tag=b"t")) == [
        InstallDecision(Decision(key_of(PACKET), Discard("no"), 2.0, b"t")),
        DropPacket("no"),
    ]
