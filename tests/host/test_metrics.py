"""A host that is asked to shows how it is, to programs that watch."""

import re
from http import HTTPStatus

import msgspec

from ei.host.metrics import HOST_METRICS, host_pages
from ei.host.status import AttachmentStatus, HostStatus

HOST = HostStatus(
    name="alice.isp-a",
    address="fd35::1",
    endpoint="127.0.0.1:1",
    attachments=(
        AttachmentStatus("sn1.isp-a", is_up=True, is_used=True, rtt_s=0.002),
        AttachmentStatus("sn2.isp-a", is_up=False, is_used=False, rtt_s=None),
    ),
    sent={"datagram": 3},
    received={"receipt": 2},
    dropped={"send_refused": 1},
    socket_overflows=4,
)


def values() -> dict[str, str]:
    text = host_pages(lambda: HOST, version="1.2.3")["/metrics"]().text
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: value for name, _, value in samples}


def test_what_was_counted_is_told() -> None:
    assert values() == {
        'ei_build_info{version="1.2.3"}': "1",
        'ei_host_sent_total{kind="datagram"}': "3",
        'ei_host_received_total{kind="receipt"}': "2",
        'ei_host_dropped_total{reason="send_refused"}': "1",
        'ei_host_node_up{node="sn1.isp-a"}': "1",
        'ei_host_node_up{node="sn2.isp-a"}': "0",
        'ei_host_node_used{node="sn1.isp-a"}': "1",
        'ei_host_node_used{node="sn2.isp-a"}': "0",
        'ei_host_round_trip_seconds{node="sn1.isp-a"}': "0.002",
        "ei_socket_overflows_total": "4",
    }


def test_names_are_those_that_prometheus_expects() -> None:
    for metric in HOST_METRICS:
        assert re.fullmatch(r"ei_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_a_host_is_ready_while_a_node_is_up() -> None:
    alone = msgspec.structs.replace(HOST, attachments=HOST.attachments[1:])

    assert host_pages(lambda: HOST, version="")["/readyz"]().status == HTTPStatus.OK
    page = host_pages(lambda: alone, version="")["/readyz"]()

    assert page.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert page.text == "alice.isp-a: 0 of 1 nodes up, using no node\n"
    assert host_pages(lambda: alone, version="")["/healthz"]().text == "ok\n"
