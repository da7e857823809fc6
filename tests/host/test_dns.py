"""Asking the DNS for nodes: at a resolver of the test's own, that answers, lies, or is silent."""

import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random

import dns.message
import dns.rcode
import dns.rrset
import msgspec
import pytest

from ei.errors import UnreachableError
from ei.host.config import HostConfig
from ei.host.dns import MIN_TTL_S, RETRY_S, ask_dns, look_up
from ei.host.locating import Located
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records

ZONE = "isp-a.example"
SERVICE = f"_ei._udp.{ZONE}."
CONFIG = HostConfig(version=1, name="alice.isp-a", domain_number=1, dns_domain=ZONE)
Zone = dict[tuple[str, str], list[str]]


@contextmanager
def resolver(answer: Callable[[bytes], bytes | None]) -> Generator[str]:
    """Answer each question at an endpoint of 127.0.0.1, which is the value."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (asked := listening.recvfrom(4_096))[0]:
                said = answer(asked[0])
                if said is not None:
                    _ = listening.sendto(said, asked[1])

        thread = threading.Thread(target=serve)
        thread.start()
        endpoint = listening.getsockname()
        try:
            yield f"127.0.0.1:{endpoint[1]}"
        finally:
            _ = listening.sendto(b"", endpoint)
            thread.join()


def zone(records: Zone, *, ttl_s: int = 300) -> Callable[[bytes], bytes]:
    """Return what answers from `records`: (name, kind) to data; other names do not exist."""

    def answer(asked: bytes) -> bytes:
        query = dns.message.from_wire(asked)
        (question,) = query.question
        said = dns.message.make_response(query)
        key = (question.name.to_text(), dns.rdatatype.to_text(question.rdtype))
        if found := records.get(key):
            said.answer.append(dns.rrset.from_text(key[0], ttl_s, "IN", key[1], *found))
        elif not any(name == key[0] for name, _ in records):
            said.set_rcode(dns.rcode.NXDOMAIN)
        return said.to_wire()

    return answer


def records() -> RecordSet:
    keys = make_keys(b"d" * 32)
    issuer = Issuer("isp-a", 1, keys, expires_unix_s=2_000)
    at = {"sn1": "192.0.2.1:3535", "sn2": "192.0.2.2:3535", "sn3": "[2001:db8::3]:3535"}
    nodes = [
        issuer.node(make_keys(name.encode().ljust(32)), f"{name}.isp-a", endpoints=(where,),
                    services=())
        for name, where in at.items()
    ]  # fmt: skip
    return verify_records(
        [issuer.domain(), *nodes], trust={"isp-a": keys.identity_key}, unix_s=1_000
    )


TWO: Zone = {
    (SERVICE, "SRV"): ["10 5 3535 sn1.isp-a.example.", "20 5 3535 sn2.isp-a.example."],
    ("sn1.isp-a.example.", "A"): ["192.0.2.1"],
    ("sn1.isp-a.example.", "AAAA"): ["2001:db8::1"],
    ("sn2.isp-a.example.", "A"): ["192.0.2.2"],
}


def test_services_come_with_the_addresses_of_their_targets() -> None:
    with resolver(zone(TWO)) as at:
        found = look_up(ZONE, resolvers=(at,))

    assert found.ttl_s == 300
    assert sorted(found.located, key=lambda each: each.target) == [
        Located("sn1.isp-a.example", 10, 5, ("[2001:db8::1]:3535", "192.0.2.1:3535")),
        Located("sn2.isp-a.example", 20, 5, ("192.0.2.2:3535",)),
    ]


def test_a_lifetime_of_nothing_is_a_minute() -> None:
    with resolver(zone(TWO, ttl_s=0)) as at:
        assert look_up(ZONE, resolvers=(at,)).ttl_s == MIN_TTL_S


def test_a_domain_without_services_is_told_with_the_question_to_ask() -> None:
    with (
        resolver(zone({})) as at,
        pytest.raises(UnreachableError, match=r"isp-a\.example") as caught,
    ):
        _ = look_up(ZONE, resolvers=(at,))

    assert caught.value.remedy == f"See what it says: dig SRV {SERVICE}"


@pytest.mark.slow
@pytest.mark.parametrize("said", [None, b"", b"\x00" * 11, b"\xff" * 300])
def test_silence_and_nonsense_end_at_the_deadline(said: bytes | None) -> None:
    began_s = time.monotonic()

    with resolver(lambda _: said) as at, pytest.raises(UnreachableError):
        _ = look_up(ZONE, resolvers=(at,), deadline_s=0.3)

    assert time.monotonic() - began_s < 2


def test_a_host_takes_the_nodes_in_the_order_of_the_dns() -> None:
    known = records()
    with resolver(zone(TWO)) as at:
        answer = ask_dns(msgspec.structs.replace(CONFIG, resolvers=(at,)), known, random=Random(1))

    assert answer is not None
    assert [known.name_of(node) for node in answer.nodes] == ["sn1.isp-a", "sn2.isp-a"]
    assert (answer.trouble, answer.ttl_s) == ("", 300)


def test_a_node_that_the_socket_cannot_reach_is_passed_over() -> None:
    known = records()
    six = dict(TWO)
    six[SERVICE, "SRV"] = ["1 5 3535 sn3.isp-a.example.", "10 5 3535 sn1.isp-a.example."]
    six["sn3.isp-a.example.", "AAAA"] = ["2001:db8::3"]
    with resolver(zone(six)) as at:
        answer = ask_dns(msgspec.structs.replace(CONFIG, resolvers=(at,)), known, random=Random(1))

    assert answer is not None
    assert [known.name_of(node) for node in answer.nodes] == ["sn1.isp-a"]


def test_the_dns_can_say_that_there_are_no_nodes() -> None:
    with resolver(zone({(SERVICE, "SRV"): ["0 0 0 ."]})) as at:
        answer = ask_dns(
            msgspec.structs.replace(CONFIG, resolvers=(at,)), records(), random=Random(1)
        )

    assert answer is not None
    assert answer.nodes == ()
    assert "says that there are no nodes" in answer.trouble


def test_a_host_without_a_dns_domain_asks_nobody_and_one_without_answer_asks_again() -> None:
    none = msgspec.structs.replace(CONFIG, dns_domain="")
    assert ask_dns(none, records(), random=Random(1)) is None

    with resolver(zone({})) as at:
        answer = ask_dns(
            msgspec.structs.replace(CONFIG, resolvers=(at,)), records(), random=Random(1)
        )

    assert answer is not None
    assert (answer.nodes, answer.ttl_s) == ((), RETRY_S)
    assert answer.trouble
