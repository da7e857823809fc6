"""`ei registry serve`: what a registry shows, by HTTP."""

import argparse
import time

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.registry import opened, takes_registry

LOOK_S = 10.0


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry serve`."""
    verb = verbs.add(
        "serve",
        summary="serve a registry by HTTP, and keep it fresh, until Ctrl-C or SIGTERM",
        details="Any server of static files can serve the part public in its place; then something"
        " must run this now and then, or nodes refuse it after a day: the time is signed anew."
        " Nodes whose addresses are in its file reporters, one a line, stop a release that fails"
        " at them while it is rolled out.",
        execute=execute,
    )
    verb.takes(
        "--listen",
        default="127.0.0.1:8135",
        metavar="IP:PORT",
        help="where nodes and witnesses reach it (default 127.0.0.1:8135; port 0 takes any)",
    )
    takes_registry(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Serve."""
    from ei.errors import EiError
    from ei.records.endpoints import parse_endpoint
    from ei.registry.reports import REPORTERS_FILE, REPORTS_PATH, Reports, read_reporters
    from ei.registry.repository import Registry
    from ei.registry.serving import Server

    registry: Registry = opened(arguments)
    _ = registry.signing()
    due_s = 0.0

    def keep_fresh() -> None:
        nonlocal due_s
        now_s = time.monotonic()
        if now_s < due_s:
            return
        due_s = now_s + LOOK_S
        try:
            _ = registry.renew(unix_s=time.time())
        except (EiError, OSError) as error:
            output.talk(f"{output.mark('bad', is_talk=True)} not renewed: {error}")

    host, port = parse_endpoint(arguments.listen)
    reporters = read_reporters(registry.folder / REPORTERS_FILE)
    reports = Reports(registry, reporters, unix_s=time.time)
    posts = {"/cosignatures": registry.take_posted, f"/{REPORTS_PATH}": reports.take}
    with Server((str(host), port), registry.folder / "public", posts, between=keep_fresh) as server:
        address = f"http://{_written(str(host))}:{server.server_address[1]}"
        output.talk(f"{registry.folder} is at {address}")
        output.document("ei.registry-serve/1", {"address": address})
        server.serve_forever()
    return Exit.OK


def _written(host: str) -> str:
    return f"[{host}]" if ":" in host else host
