"""`ei dns`: names of the Extensible Internet for programs that ask the DNS."""

import argparse
import os
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.host import PLACES
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs

if TYPE_CHECKING:
    from ei.records.endpoints import Endpoint

EXAMPLES = """\
examples:
  ei dns                                     then: dig @127.0.0.1 -p 5300 bob.isp-b.ei AAAA
  ei dns --listen 127.0.0.1:53 --upstream 192.0.2.53
  resolvectl dns lo 127.0.0.1:5300           and: resolvectl domain lo '~ei'
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei dns`."""
    verb = commands.add(
        "dns",
        summary="answer the DNS for names such as bob.isp-b.ei, until Ctrl-C",
        details="All other names are asked of another server, byte for byte. A host daemon that "
        "runs is asked who has a name; else this command is a host itself.",
        execute=execute,
    )
    verb.takes(
        "--listen",
        metavar="IP:PORT",
        default="127.0.0.1:5300",
        help="where, by UDP and TCP (default 127.0.0.1:5300)",
    )
    verb.takes(
        "--upstream",
        action="append",
        metavar="IP[:PORT]",
        default=[],
        help="who is asked for other names (default: the servers of /etc/resolv.conf)",
    )
    takes_config(verb, PLACES)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Serve until Ctrl-C or SIGTERM."""
    import asyncio

    from ei.host.connect import find_host_config
    from ei.records.endpoints import parse_endpoint
    from ei.ways.dns import run_dns
    from ei.ways.dns_upstream import endpoint_text, parse_server, system_servers

    listen = parse_endpoint(arguments.listen)
    servers = [parse_server(text) for text in arguments.upstream] or system_servers()
    config = expect_file(
        find_host_config(arguments.config, environ=os.environ), init="ei host init"
    )

    def opened(endpoint: "Endpoint", by: str) -> None:
        others = ", ".join(map(endpoint_text, servers)) or "nobody: they stay without an answer"
        output.talk(f"names under .ei are answered at {endpoint_text(endpoint)} by {by}")
        output.talk(f"other names are asked of {others}")
        output.document(
            "ei.dns/1",
            {
                "listen": endpoint_text(endpoint),
                "by": by,
                "upstreams": [endpoint_text(server) for server in servers],
            },
        )
        if not endpoint[0].is_loopback:
            output.talk(
                f"{output.mark('warn', is_talk=True)} whoever reaches it may ask it anything: "
                "keep strangers out with a firewall"
            )
        address = "127.0.0.1" if endpoint[0].is_unspecified else endpoint[0]
        output.next(f"dig @{address} -p {endpoint[1]} NAME.DOMAIN.ei AAAA")

    asyncio.run(run_dns(config, listen=listen, servers=servers, opened=opened))
    return Exit.OK
