"""What 3.1.1 has no word for is left out or told by what it has; `test_decoding` has the rest."""

import pytest

from ei.ways.mqtt.encoding import encode
from ei.ways.mqtt.packets import (
    V3,
    V5,
    Ack,
    Auth,
    Connack,
    Disconnect,
    Kind,
    Packet,
    Ping,
    Verdicts,
)
from ei.ways.mqtt.properties import Properties
from ei.ways.mqtt.reasons import Reason

TOLD = Properties(reason_text="why")


@pytest.mark.parametrize(
    ("packet", "old", "new"),
    [
        (Ack(Kind.PUBACK, 1), "40020001", "40020001"),
        (Ack(Kind.PUBREL, 1, Reason.NUMBER_NOT_FOUND), "62020001", "6203000192"),
        (Ack(Kind.PUBACK, 1, Reason.QUOTA, TOLD), "40020001", "400a000197061f0003776879"),
        (Connack(Reason.QUOTA), "20020003", "2003009700"),
        (Connack(Reason.BAD_CLIENT_ID), "20020002", "2003008500"),
        (
            Verdicts(Kind.SUBACK, 1, (Reason.GRANTED_2, Reason.QUOTA)),
            "900400010280", "90050001000297",
        ),
        (Verdicts(Kind.UNSUBACK, 1, (Reason.NO_SUBSCRIPTION,)), "b0020001", "b00400010011"),
        (Disconnect(), "e000", "e000"),
        (Ping(Kind.PINGRESP), "d000", "d000"),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_each_version_is_told_what_it_knows(packet: Packet, old: str, new: str) -> None:
    assert encode(packet, version=V3).hex() == old
    assert encode(packet, version=V5).hex() == new


def test_an_exchange_is_written() -> None:
    assert encode(Auth(0x18), version=V5).hex() == "f0021800"
