"""Lets the services of a node have streams: its key, what they may reach, and what is its own."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Protocol

from ei.node.ceiling import ceiling_bytes, machine_bytes, stream_bytes
from ei.node.prepare import PreparedNode
from ei.node.sites import Sites, SiteTaker
from ei.records.endpoints import parse_endpoint

FIB_TRIE, IF_INET6 = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")


class StreamStarter(SiteTaker, Protocol):
    """What is asked of an engine."""

    def start_streams(
        self,
        identity_key: bytes,
        *,
        internet: list[str] = ...,
        own_addresses: list[str] = ...,
        buffer_bytes: int = ...,
    ) -> None: ...


def start_streams(engine: StreamStarter, prepared: PreparedNode) -> Sites:
    """Start them, if a service of the node wants any; to be called before workers start.

    Returns the sites whose TLS ends here.
    """
    if not any("streams" in each.manifest.capabilities for each in prepared.services):
        return Sites(prepared.sites, None)
    config = prepared.config
    record = prepared.records.nodes.get(prepared.address)
    endpoints = (*config.binds, *(() if record is None else record.endpoints))
    ceiling = ceiling_bytes(config.memory_limit_mib, machine_bytes=machine_bytes())
    engine.start_streams(
        prepared.keys.identity_secret,
        internet=list(config.internet.allow),
        own_addresses=sorted(
            {*own_addresses(_read(FIB_TRIE), _read(IF_INET6)), *_addresses(endpoints)}
        ),
        buffer_bytes=stream_bytes(ceiling),
    )
    return Sites(prepared.sites, engine)


def own_addresses(fib_trie: str, if_inet6: str) -> set[str]:
    """Return the addresses of a machine, but for loopback, which is never for everybody.

    Args:
        fib_trie, if_inet6: Files of Linux in `/proc/net`; empty where there are none.
    """
    found = {*_local_v4(fib_trie), *_local_v6(if_inet6)}
    return {address for address in found if not ip_address(address).is_loopback}


def _local_v4(fib_trie: str) -> Iterator[str]:
    address = ""
    for line in fib_trie.splitlines():
        word = line.split()
        if word[:1] == ["|--"]:
            address = word[1]
        elif word[:3] == ["/32", "host", "LOCAL"]:
            yield address


def _local_v6(if_inet6: str) -> Iterator[str]:
    for line in if_inet6.splitlines():
        yield str(IPv6Address(bytes.fromhex(line.split()[0])))


def _addresses(endpoints: Iterable[str]) -> Iterator[str]:
    for endpoint in endpoints:
        address, _ = parse_endpoint(endpoint)
        if not address.is_unspecified:
            yield str(address)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
