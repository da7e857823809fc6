"""`ei gateway multicast`: programs of IP multicast, behind a group."""

import argparse
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from ei.cli.exits import Exit
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import UsageError, Verbs
from ei.cli.quantities import parse_count

if TYPE_CHECKING:
    from ei.ways.ip_multicast import Bridge

GROUP = r"([A-Za-z0-9._-]{1,253})"
NETWORK = r"([0-9.]{7,15}):([0-9]{1,5})"
TO = re.compile(f"{GROUP}={NETWORK}")
FROM = re.compile(f"{NETWORK}={GROUP}")
MAX_PORT = 65_535
EXAMPLES = """\
examples:
  ei gateway multicast --to news.isp-a=239.1.2.3:5001 --interface 192.0.2.7      then, there:
  iperf -s -u -B 239.1.2.3 -p 5001
  ei gateway multicast --from 239.1.2.3:5001=news.isp-a --interface 192.0.2.7    and elsewhere:
  iperf -c 239.1.2.3 -u -p 5001 -l 1200
"""


def add_verb(verbs: Verbs) -> None:
    """Add `ei gateway multicast`."""
    from ei.cli.host import PLACES

    verb = verbs.add(
        "multicast",
        summary="run this host as a gateway between groups and IP multicast, until Ctrl-C",
        details="Programs of IP multicast on a local network hear a group of ours, or speak to "
        "it, as they are. A datagram is a message, of 1,200 bytes at most. It is the host itself, "
        "so no `ei host run` may run beside it.",
        execute=execute,
    )
    verb.takes(
        "--to",
        action="append",
        default=[],
        type=parse_to,
        metavar="GROUP=ADDRESS:PORT",
        help="put what is sent to GROUP on the network; may be repeated",
    )
    verb.takes(
        "--from",
        dest="sources",
        action="append",
        default=[],
        type=parse_from,
        metavar="ADDRESS:PORT=GROUP",
        help="send what comes on the network to GROUP",
    )
    verb.takes(
        "--interface",
        default="127.0.0.1",
        metavar="IP",
        help="an IPv4 address of this machine, by whose interface (default 127.0.0.1)",
    )
    verb.takes(
        "--ttl",
        type=parse_count,
        default=1,
        metavar="N",
        help="how many networks datagrams may reach, 1 to 255 (default 1: this one)",
    )
    takes_config(verb, PLACES)
    verb.ends(EXAMPLES)


def parse_to(text: str) -> "Bridge":
    """Parse `news.isp-a=239.1.2.3:5001`."""
    found = TO.fullmatch(text)
    if not found or not 1 <= int(found[3]) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is nothing like news.isp-a=239.1.2.3:5001")
    return _bridge(found[1], found[2], int(found[3]), to_network=True)


def parse_from(text: str) -> "Bridge":
    """Parse `239.1.2.3:5001=news.isp-a`."""
    found = FROM.fullmatch(text)
    if not found or not 1 <= int(found[2]) <= MAX_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is nothing like 239.1.2.3:5001=news.isp-a")
    return _bridge(found[3], found[1], int(found[2]), to_network=False)


def _bridge(group: str, address: str, port: int, *, to_network: bool) -> "Bridge":
    from ei.ways.ip_multicast import Bridge

    return Bridge(group, address, port, to_network)


def execute(arguments: argparse.Namespace, _output: Output) -> Exit:
    """Run the host and its gateway; both log to stderr."""
    from ei.host.connect import find_host_config
    from ei.host.daemon import run_host
    from ei.ways.beside import multicast_beside

    bridges: list[Bridge] = [*arguments.to, *arguments.sources]
    if not bridges:
        raise UsageError("--to or --from needed", command="ei gateway multicast")
    path = expect_file(find_host_config(arguments.config, environ=os.environ), init="ei host init")
    beside = multicast_beside(bridges, interface=arguments.interface, ttl=min(arguments.ttl, 255))
    run_host(path, beside=beside)
    return Exit.OK


def tell_multicast(answer: Mapping[str, object], output: Output) -> Mapping[str, object]:
    """Show what a gateway of multicast says of itself; return it."""
    import msgspec

    from ei.ways.ip_multicast import MulticastStatus

    status = msgspec.convert(answer, MulticastStatus)
    for each in status.bridges:
        bridge = each.bridge
        network = f"{bridge.address}:{bridge.port}"
        way = (bridge.group, network) if bridge.to_network else (network, bridge.group)
        output.data(
            f"{' → '.join(way)}: {each.datagrams} datagrams, {each.too_long} too long, "
            f"{each.refused} not taken, {each.own} our own"
        )
    return cast("dict[str, object]", msgspec.to_builtins(status))
