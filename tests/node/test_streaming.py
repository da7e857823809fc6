"""A node's services have streams when one of them wants some."""

from dataclasses import replace
from pathlib import Path

import pytest

from ei.node.ceiling import MIB
from ei.node.prepare import prepare_node
from ei.node.streaming import own_addresses, start_streams
from ei.testing.toys import toy, toy_manifest

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
        |-- 192.0.2.0
           /24 link UNICAST
        |-- 192.0.2.7
           /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
Local:
        |-- 192.0.2.7
           /32 host LOCAL
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
20010db8000000000000000000000007 02 40 00 80     eth0
"""


class Starter:
    """An engine that is told to start streams."""

    def __init__(self) -> None:
        self.started: list[tuple[bytes, list[str], list[str]]] = []
        self.sites: list[tuple[str, bytes, bytes, list[str]]] | None = None
        self.buffer_bytes = 0

    def start_streams(
        self,
        identity_key: bytes,
        *,
        internet: list[str],
        own_addresses: list[str],
        buffer_bytes: int,
    ) -> None:
        self.buffer_bytes = buffer_bytes
        self.started.append((identity_key, internet, own_addresses))

    def set_sites(self, sites: list[tuple[str, bytes, bytes, list[str]]]) -> None:
        assert self.started
        self.sites = sites


def test_a_machines_addresses_are_those_of_its_interfaces_but_for_loopback() -> None:
    assert own_addresses(FIB_TRIE, IF_INET6) == {"192.0.2.7", "2001:db8::7"}
    assert own_addresses("", "") == set()


@pytest.mark.parametrize(("capabilities", "starts"), [((), 0), (("streams",), 1)])
def test_streams_start_where_a_service_wants_them(
    node_file: Path, capabilities: tuple[str, ...], starts: int
) -> None:
    _ = node_file.write_text(
        "memory_limit_mib = 300\n"
        + node_file.read_text()
        + '\n[internet]\nallow = ["0.0.0.0/0:443"]\n'
    )
    service = toy(manifest=toy_manifest(capabilities=capabilities))
    prepared = replace(prepare_node(node_file), services=(service,))
    starter = Starter()

    _ = start_streams(starter, prepared)

    assert len(starter.started) == starts
    assert starter.sites == ([] if starts else None)
    assert starter.buffer_bytes == starts * 150 * MIB
    for identity_key, internet, own in starter.started:
        assert identity_key == prepared.keys.identity_secret
        assert internet == ["0.0.0.0/0:443"]
        assert {bind.rpartition(":")[0] for bind in prepared.config.binds} <= set(own)
