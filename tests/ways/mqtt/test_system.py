"""`$SYS` says what other brokers say, under their names."""

from ei.ways.mqtt.system import MqttStatus, system_messages


def test_a_filter_gets_what_it_means() -> None:
    status = MqttStatus("gate.isp-a", "127.0.0.1:1883", 9.5, connections=2, sessions=5)

    found = {each.topic: each.payload for each in system_messages(status, "$SYS/broker/clients/+")}

    assert found == {
        "$SYS/broker/clients/connected": b"2",
        "$SYS/broker/clients/total": b"5",
        "$SYS/broker/clients/disconnected": b"3",
    }
    assert not list(system_messages(status, "#"))
