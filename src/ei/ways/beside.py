"""The ways in that run beside a host, in its daemon: what `ei proxy` and `ei gateway` give it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import SystemRandom

import msgspec

from ei.daemons.log import Log
from ei.daemons.messages import Answer, Request
from ei.daemons.verbs import NoArguments, arguments_of, to_answer
from ei.errors import ConfigError
from ei.host.admin import Verb
from ei.host.client import Host
from ei.host.daemon import Beside
from ei.records.endpoints import parse_endpoint
from ei.runtime.loader import find_services
from ei.sdk.manifest import load_manifest
from ei.ways.associations import Associations
from ei.ways.dialing import HostDialler
from ei.ways.exits import ExitWish
from ei.ways.gateway import GatewayLimits, Published, gateway_of
from ei.ways.http_proxy import Cache
from ei.ways.ip_multicast import Bridge, answer_status, bridging
from ei.ways.names import to_name
from ei.ways.page import About, NodeSeen
from ei.ways.private import PrivateDialler, private_way, seen_of
from ei.ways.proxy import Proxy, ProxyLimits, proxy_of

TERMINATION = "termination"
CACHING = "caching"


def proxy_beside(
    listen: str, *, limits: ProxyLimits | None = None, wish: ExitWish | None = None
) -> Beside:
    """Return what serves programs by HTTP and SOCKS.

    Args:
        listen: Endpoint, such as `127.0.0.1:8118`.
        wish: Of an exit: all goes by two operators, or not at all.
    """
    names = {load_manifest(folder).id: name for name, folder in find_services().items()}

    @asynccontextmanager
    async def run(host: Host, log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
        async with _way_of(host, wish, names, log) as way:
            address, _ = parse_endpoint(listen)
            proxy = Proxy(
                way.dialler,
                listen=listen,
                log=log,
                cache=way.cache,
                about=way.about,
                associate=Associations(
                    host,
                    address=str(address),
                    dial=way.dialler.dial_datagrams,
                    log=log,
                    is_private=wish is not None,
                ),
                limits=limits,
            )

            async def answer(request: Request) -> AsyncIterator[Answer]:
                _ = arguments_of(request, NoArguments)
                yield to_answer(proxy.about(), schema="ei.proxy-status/1")

            async with proxy_of(proxy):
                yield {"proxy": answer}

    return run


@dataclass(frozen=True, slots=True)
class _Way:
    """How what a proxy is asked for goes on."""

    dialler: HostDialler | PrivateDialler
    cache: Cache | None
    about: Callable[[], About]


@asynccontextmanager
async def _way_of(
    host: Host, wish: ExitWish | None, names: Mapping[int, str], log: Log
) -> AsyncGenerator[_Way]:
    if wish is None:
        dialler = HostDialler(host)
        yield _Way(dialler, dialler.dial_cache, lambda: about_of(host, names))
        return
    async with private_way(host, wish, random=SystemRandom(), log=log) as relay:

        def about() -> About:
            return msgspec.structs.replace(
                about_of(host, names), caches=False, private=seen_of(relay, host.records)
            )

        # The node's cache would see who asks, and for what.
        yield _Way(PrivateDialler(relay, lambda: host.records), None, about)


def gateway_beside(
    published: Sequence[Published], *, name: str = "", limits: GatewayLimits | None = None
) -> Beside:
    """Return what offers servers under the name of the host.

    Args:
        name: That it is meant to be, with or without `.ei`; empty takes any.
    """

    @asynccontextmanager
    async def run(host: Host, log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
        check_name(host, name)
        async with gateway_of(
            host, published, limits=limits or GatewayLimits(), log=log
        ) as gateway:
            yield {"gateway": gateway.answer}

    return run


def multicast_beside(bridges: Sequence[Bridge], *, interface: str, ttl: int) -> Beside:
    """Return what joins groups of ours and those of a local network; see `bridging`."""

    @asynccontextmanager
    async def run(host: Host, log: Log) -> AsyncGenerator[Mapping[str, Verb]]:
        async with bridging(host, bridges, interface=interface, ttl=ttl, log=log) as carriers:
            yield {"multicast": lambda request: answer_status(request, host, carriers)}

    return run


def check_name(host: Host, name: str) -> None:
    """See that a host has a name.

    Raises:
        ConfigError: it has others.
    """
    wanted = to_name(name) or name
    known = host.records.enrolments[host.address].names
    if wanted and wanted not in known:
        raise ConfigError(
            f"this host is {', '.join(known)}, and not {wanted}",
            remedy=f"Run it with the host.toml of {wanted}: --config FILE",
        )


def about_of(host: Host, services: Mapping[int, str]) -> About:
    """Return what a proxy shows of its host.

    Args:
        services: Numbers of services to their names.
    """
    status = host.status()
    nodes = tuple(
        NodeSeen(each.node, each.is_up, each.is_used, each.rtt_s) for each in status.attachments
    )
    records = host.records
    used = next((each.node for each in status.attachments if each.is_used), "")
    numbers = next((node.services for node in records.nodes.values() if node.name == used), ())
    offered = tuple(services.get(number, str(number)) for number in numbers)
    return About(
        host=host.name,
        endpoint="",
        nodes=nodes,
        services=offered,
        domains=tuple(sorted(records.domains)),
        carries_legacy=TERMINATION in offered,
        caches=CACHING in offered,
    )
