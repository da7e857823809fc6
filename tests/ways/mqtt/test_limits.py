"""Limits are told to clients where the protocol can; `test_opening` and `test_client` have them."""

from ei.ways.mqtt.limits import MqttLimits
from ei.ways.mqtt.outgoing import RING


def test_a_window_fits_the_packet_identifiers() -> None:
    assert MqttLimits().at_once < RING
