"""`ei proxy`: HTTP and SOCKS for programs that know nothing of us."""

import argparse
import os

from ei.cli.exits import Exit
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.private import takes_private, wish_of
from ei.cli.quantities import parse_count

EXAMPLES = """\
examples:
  ei proxy                                          then, elsewhere:
  curl -x http://127.0.0.1:8118 http://files.campus.ei/
  curl -x socks5h://127.0.0.1:8118 http://files.campus.ei/
  chromium --proxy-pac-url=http://127.0.0.1:8118/ei.pac http://ei.local/
  ei proxy --private                                servers see an exit of another operator
  ei proxy --private --near 35N,139E                that exit is near Tokyo
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei proxy`."""
    from ei.cli.host import PLACES

    verb = commands.add(
        "proxy",
        summary="run this host with a proxy for other programs, until Ctrl-C or SIGTERM",
        details="HTTP (with CONNECT) and SOCKS 5 on one port. Names under .ei lead to that host, "
        "sealed from end to end; everything else is carried on by the node, as far as its operator "
        "allows. http://ei.local/ shows whether a browser goes through it.\n\n"
        "Whoever reaches the port speaks with this host's name and keys. It is the host itself, so "
        "no `ei host run` may run beside it.",
        execute=execute,
    )
    verb.takes(
        "--listen",
        default="127.0.0.1:8118",
        metavar="IP:PORT",
        help="where programs reach it (default 127.0.0.1:8118; port 0 takes any)",
    )
    verb.takes(
        "--connections",
        type=parse_count,
        default=1_024,
        metavar="N",
        help="of programs at a time, more are hung up on (default 1024)",
    )
    takes_private(verb)
    takes_config(verb, PLACES)
    verb.ends(EXAMPLES)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Run the host and its proxy; both log to stderr."""
    from ei.host.connect import find_host_config
    from ei.host.daemon import run_host
    from ei.records.endpoints import parse_endpoint
    from ei.ways.beside import proxy_beside
    from ei.ways.proxy import ProxyLimits

    _ = parse_endpoint(arguments.listen)
    wish = wish_of(arguments, command="ei proxy")
    path = expect_file(find_host_config(arguments.config, environ=os.environ), init="ei host init")
    limits = ProxyLimits(connections=arguments.connections)
    output.next(f"curl -x http://{arguments.listen} http://ei.local/")
    run_host(path, beside=proxy_beside(arguments.listen, limits=limits, wish=wish))
    return Exit.OK
