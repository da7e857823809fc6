"""`ei gateway`: servers that know nothing of us, under the name of this host."""

import argparse
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from ei.cli import gateway_mqtt, gateway_multicast
from ei.cli.exits import Exit
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import parse_count, parse_seconds
from ei.cli.targets import takes_target
from ei.errors import LocalError, NotFoundError

if TYPE_CHECKING:
    from ei.ways.gateway import Published
    from ei.ways.page import PrivateSeen

SERVER = re.compile(r"(?:([0-9]{1,5})=)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253}):([0-9]{1,5})")
HTTP_PORT = 80
MAX_PORT = 65_535
EXAMPLES = """\
examples:
  ei gateway publish web --to 127.0.0.1:8000              then, through the proxy of any host:
  curl -x http://127.0.0.1:8118 http://files.campus.ei/
  ei gateway publish shop --to 127.0.0.1:8000 --to 443=127.0.0.1:8443 --name files.campus.ei
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei gateway` and its verbs."""
    from ei.cli.host import PLACES

    verbs = commands.add_noun("gateway", summary="offer servers of the Internet to other hosts")
    publish = verbs.add(
        "publish",
        summary="run this host as a gateway to servers, until Ctrl-C or SIGTERM",
        details="Each stream that another host opens to a port becomes a TCP connection from here "
        "to its server, both ways, with its ends. At the end, what is open may go on for a while. "
        "It is the host itself, so no `ei host run` may run beside it.",
        execute=execute,
    )
    publish.takes("label", metavar="LABEL", help="what to call it in logs, such as web")
    publish.takes(
        "--to",
        action="append",
        required=True,
        type=parse_server,
        metavar="[PORT=]HOST:PORT",
        help="a server, and on which port other hosts reach it (default 80); may be repeated",
    )
    publish.takes(
        "--name",
        default="",
        metavar="NAME",
        help="the name under which it is meant to be reached; refused if this host has another",
    )
    publish.takes(
        "--connections",
        type=parse_count,
        default=1_024,
        metavar="N",
        help="at a time, more are refused (default 1024)",
    )
    publish.takes(
        "--idle",
        type=parse_seconds,
        default=3_600.0,
        metavar="60m",
        help="give a connection up after so long without a byte (default 60m)",
    )
    publish.takes(
        "--grace",
        type=parse_seconds,
        default=10.0,
        metavar="10s",
        help="at the end, what is open may go on for so long (default 10s)",
    )
    takes_config(publish, PLACES)
    publish.ends(EXAMPLES)
    gateway_mqtt.add_verb(verbs)
    gateway_multicast.add_verb(verbs)
    status = verbs.add("status", summary="show a running gateway, or proxy", execute=show)
    status.takes("name", nargs="?", metavar="NAME", help="a host of the lab")
    takes_target(status)


def parse_server(text: str) -> tuple[int, str, int]:
    """Parse `443=127.0.0.1:8443`: (port here, server, its port); without a port here it is 80."""
    found = SERVER.fullmatch(text)
    here, there = (int(found[1] or HTTP_PORT), int(found[3])) if found else (0, 0)
    if not found or not (1 <= here <= MAX_PORT and 1 <= there <= MAX_PORT):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no server such as 127.0.0.1:8000 or 443=127.0.0.1:8443"
        )
    return here, found[2].strip("[]"), there


def published_of(arguments: argparse.Namespace) -> "list[Published]":
    """Return what the arguments publish."""
    from ei.ways.gateway import Published

    return [Published(arguments.label, *server) for server in arguments.to]


def execute(arguments: argparse.Namespace, _output: Output) -> Exit:
    """Run the host and its gateway; both log to stderr."""
    from ei.host.connect import find_host_config
    from ei.host.daemon import run_host
    from ei.ways.beside import gateway_beside
    from ei.ways.gateway import GatewayLimits

    path = find_host_config(arguments.config, environ=os.environ)
    limits = GatewayLimits(
        connections=arguments.connections, idle_s=arguments.idle, grace_s=arguments.grace
    )
    beside = gateway_beside(published_of(arguments), name=arguments.name, limits=limits)
    run_host(expect_file(path, init="ei host init"), beside=beside)
    return Exit.OK


def show(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a host for the ways in that run in its daemon, and show the first that does."""
    from ei.cli.targets import find_target

    target = find_target(arguments.name, arguments, kind="host")
    for verb, schema, tell in WAYS_IN:
        try:
            answer = target.ask(verb)
        except LocalError as error:
            if f"no verb {verb!r}" not in str(error):
                raise
            continue
        output.document(schema, tell(answer, output))
        return Exit.OK
    raise NotFoundError(
        f"{target.name} runs as a host, without a gateway or a proxy",
        remedy="Run it with one: ei gateway publish LABEL --to [PORT=]HOST:PORT, ei gateway mqtt, "
        "ei gateway multicast, or ei proxy",
    )


def tell_gateway(answer: Mapping[str, object], output: Output) -> Mapping[str, object]:
    """Show what a gateway says of itself; return it."""
    import msgspec

    from ei.ways.gateway import GatewayStatus

    status = msgspec.convert(answer, GatewayStatus)
    output.data(f"{status.name}: {status.open} connections open")
    for each in status.published:
        output.data(f"{each.label}: port {each.port} → {each.server}:{each.server_port}")
    for word, count in sorted(status.endings.items()):
        output.data(f"{word} {count}")
    output.data(f"bytes to servers {status.in_bytes}, from servers {status.out_bytes}")
    return cast("dict[str, object]", msgspec.to_builtins(status))


def tell_proxy(answer: Mapping[str, object], output: Output) -> Mapping[str, object]:
    """Show what a proxy says of itself; return it."""
    import msgspec

    from ei.ways.page import About

    about = msgspec.convert(answer, About)
    output.data(f"{about.host}: a proxy at {about.endpoint}, {about.open} connections open")
    if (private := about.private) is not None:
        output.data(private_line(private))
    output.data(f"asked {about.asked}, refused {about.refused}")
    return cast("dict[str, object]", msgspec.to_builtins(about))


def private_line(private: "PrivateSeen") -> str:
    """Return by whom a private way goes, or why there is none."""
    first, leaves = private.first, private.exit
    if not private.is_up or first is None or leaves is None:
        return f"no private way, so nothing goes out: {private.why_not or 'it is being opened'}"
    where = f" near {leaves.location}" if leaves.location else ""
    return (
        f"private: {first.node} of {first.operator} sees who asks, {leaves.node} of"
        f" {leaves.operator}{where} sees where it goes"
    )


WAYS_IN = (
    ("gateway", "ei.gateway-status/1", tell_gateway),
    ("mqtt", "ei.mqtt-status/1", gateway_mqtt.tell_mqtt),
    ("multicast", "ei.multicast-status/1", gateway_multicast.tell_multicast),
    ("proxy", "ei.proxy-status/1", tell_proxy),
)
"""Verb of the daemon, schema, and what shows its answer: asked in this order."""
