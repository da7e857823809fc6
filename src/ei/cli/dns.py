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
  ei dns --oblivious                         no node then knows who asks and what
  resolvectl dns lo 127.0.0.1:5300           and: resolvectl domain lo '~ei'
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei dns`."""
    verb = commands.add(
        "dns",
        summary="answer the DNS for names such as bob.isp-b.ei, until Ctrl-C",
        details="All other names are asked of another server, byte for byte. A host daemon that "
        "runs is asked who has a name; else this command is a host itself. With --oblivious they "
        "are asked by the host's node at a node of another operator: the first knows who asks, "
        "the other what, and nobody is asked in any other way.",
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
    verb.takes(
        "--oblivious",
        action="store_true",
        help="ask for other names by two operators, neither of whom knows who asks and what",
    )
    verb.takes(
        "--target",
        metavar="NODE",
        help="with --oblivious: the node whose resolver answers (default: any of another operator)",
    )
    takes_config(verb, PLACES)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Serve until Ctrl-C or SIGTERM."""
    import asyncio

    from ei.errors import ConfigError
    from ei.host.connect import find_host_config
    from ei.records.endpoints import parse_endpoint
    from ei.ways.dns import Others, run_dns
    from ei.ways.dns_upstream import endpoint_text, parse_server, system_servers

    listen = parse_endpoint(arguments.listen)
    is_oblivious, target = arguments.oblivious, arguments.target
    if is_oblivious and arguments.upstream:
        raise ConfigError(
            "--oblivious and --upstream: other names go by two operators, or to a server",
            remedy="Leave one of them out; ei dns --oblivious --target NODE names who asks.",
        )
    if target is not None and not is_oblivious:
        raise ConfigError(
            f"--target {target}: only with --oblivious", remedy="ei dns --oblivious --target NODE"
        )
    servers = [parse_server(text) for text in arguments.upstream]
    if not servers and not is_oblivious:
        servers = system_servers()
    config = expect_file(
        find_host_config(arguments.config, environ=os.environ), init="ei host init"
    )

    def opened(endpoint: "Endpoint", by: str) -> None:
        output.talk(f"names under .ei are answered at {endpoint_text(endpoint)} by {by}")
        if is_oblivious:
            whom = target or "a node of another operator than this host's"
            output.talk(f"other names are asked by this host's node, at {whom}")
        else:
            others = ", ".join(map(endpoint_text, servers)) or "nobody: they stay without an answer"
            output.talk(f"other names are asked of {others}")
        output.document(
            "ei.dns/1",
            {
                "listen": endpoint_text(endpoint),
                "by": by,
                "upstreams": [endpoint_text(server) for server in servers],
                "oblivious": is_oblivious,
                "target": target,
            },
        )
        if not endpoint[0].is_loopback:
            output.talk(
                f"{output.mark('warn', is_talk=True)} whoever reaches it may ask it anything: "
                "keep strangers out with a firewall"
            )
        address = "127.0.0.1" if endpoint[0].is_unspecified else endpoint[0]
        output.next(f"dig @{address} -p {endpoint[1]} NAME.DOMAIN.ei AAAA")

    others = Others(target) if is_oblivious else None
    asyncio.run(run_dns(config, listen=listen, servers=servers, opened=opened, by_others=others))
    return Exit.OK
