"""An unmodified resolver finds nodes: dig, and a host by its own lookup, at BIND."""

import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

import pytest

from ei.host.config import HostConfig
from ei.host.dns import ask_dns, look_up
from ei.host.locating import Located
from ei.records.dns_zone import zone_lines
from ei.records.issuer import Issuer
from ei.records.keys import make_keys
from ei.records.record_set import RecordSet, verify_records

pytestmark = pytest.mark.slow

ZONE = "isp-a.example"
UNIX_S = 1_000
SERVER_S = 10.0
CONFIG = """
options {{
    directory "{folder}"; pid-file none; session-keyfile none; managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; notify no;
}};
controls {{ }};
zone "{zone}" {{ type primary; file "zone"; }};
"""
HEAD = """\
$ORIGIN {zone}.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
"""


def domain() -> RecordSet:
    """Two nodes of isp-a, one with two addresses."""
    keys = make_keys(b"d" * 32)
    issuer = Issuer("isp-a", 1, keys, expires_unix_s=2_000)
    at = {
        "sn1": ("192.0.2.1:3535", "[2001:db8::1]:3535"),
        "sn2": ("192.0.2.2:3536",),
    }
    nodes = [
        issuer.node(make_keys(name.encode() * 8 + b"x" * 8), f"{name}.isp-a", endpoints=each,
                    services=())
        for name, each in at.items()
    ]  # fmt: skip
    return verify_records(
        [issuer.domain(), *nodes], trust={"isp-a": keys.identity_key}, unix_s=UNIX_S
    )


@contextmanager
def served(named: str, folder: Path, lines: list[str]) -> Generator[int]:
    """Serve a zone by BIND; the value is its port."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    (folder / "zone").write_text(HEAD.format(zone=ZONE) + "\n".join(lines) + "\n")
    (folder / "named.conf").write_text(CONFIG.format(folder=folder, port=port, zone=ZONE))
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [named, "-g", "-n", "1", "-c", str(folder / "named.conf")], stdout=log, stderr=log
        )
        try:
            until_s = time.monotonic() + SERVER_S
            while not dig(port, f"{ZONE}.", "SOA"):
                said = (folder / "log").read_text()
                assert server.poll() is None, said
                assert time.monotonic() < until_s, said
            yield port
        finally:
            server.terminate()
            _ = server.wait(timeout=SERVER_S)


def dig(port: int, name: str, kind: str) -> list[str]:
    """Ask with dig; return its lines, sorted."""
    asked = ["dig", "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=1", name, kind]
    found = subprocess.run(asked, capture_output=True, text=True, check=False)
    return sorted(found.stdout.split("\n")[:-1]) if found.returncode == 0 else []


def test_dig_finds_the_nodes_of_a_domain(dig_and_named: str, tmp_path: Path) -> None:
    lines = zone_lines(domain().nodes.values(), ZONE, ttl_s=300)

    with served(dig_and_named, tmp_path, lines) as port:
        assert dig(port, f"_ei._udp.{ZONE}", "SRV") == [
            f"10 10 3535 sn1.{ZONE}.",
            f"10 10 3536 sn2.{ZONE}.",
        ]
        assert dig(port, f"sn1.{ZONE}", "AAAA") == ["2001:db8::1"]
        assert dig(port, f"sn2.{ZONE}", "A") == ["192.0.2.2"]


def test_a_host_finds_what_dig_finds(dig_and_named: str, tmp_path: Path) -> None:
    lines = zone_lines(domain().nodes.values(), ZONE, ttl_s=300)

    with served(dig_and_named, tmp_path, lines) as port:
        found = look_up(ZONE, resolvers=(f"127.0.0.1:{port}",))

    assert sorted(found.located, key=lambda each: each.target) == [
        Located(f"sn1.{ZONE}", 10, 10, ("[2001:db8::1]:3535", "192.0.2.1:3535")),
        Located(f"sn2.{ZONE}", 10, 10, ("192.0.2.2:3536",)),
    ]
    assert found.ttl_s == 300


def test_an_answer_that_names_a_stranger_names_no_node(dig_and_named: str, tmp_path: Path) -> None:
    records = domain()
    lines = [
        *zone_lines(records.nodes.values(), ZONE, ttl_s=300),
        f"_ei._udp.{ZONE}. 300 IN SRV 0 10 3535 forged.{ZONE}.",
        f"forged.{ZONE}. 300 IN A 203.0.113.9",
    ]

    with served(dig_and_named, tmp_path, lines) as port:
        config = HostConfig(
            version=1,
            name="alice.isp-a",
            domain_number=1,
            dns_domain=ZONE,
            resolvers=(f"127.0.0.1:{port}",),
        )
        answer = ask_dns(config, records, random=Random(1))

    assert answer is not None
    assert {records.name_of(node) for node in answer.nodes} == {"sn1.isp-a", "sn2.isp-a"}
    assert f"forged.{ZONE}" in answer.trouble
