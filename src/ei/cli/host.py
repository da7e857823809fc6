"""`ei host`: this machine as a host on the service layer."""

import argparse
import os
from pathlib import Path

from ei.cli import host_attach, host_init, log_level
from ei.cli.exits import Exit
from ei.cli.node import expect_file, show_records, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import takes_target

PLACES = "~/.config/ei/host.toml or /etc/ei/host.toml"


def add_parser(commands: Verbs) -> None:
    """Add `ei host` and its verbs."""
    verbs = commands.add_noun("host", summary="this machine as a host on the service layer")
    host_init.add_parser(verbs)
    host_attach.add_parser(verbs, places=PLACES)
    run = verbs.add(
        "run",
        summary="run the host as a daemon, until Ctrl-C or SIGTERM",
        details="Programs that use the library need no daemon: they are hosts themselves.",
        execute=run_daemon,
    )
    run.takes(
        "--metrics",
        default="",
        metavar="IP:PORT",
        help="serve /metrics, /healthz and /readyz there, such as 127.0.0.1:9465",
    )
    check = verbs.add(
        "check", summary="read all that host.toml names, and say what is wrong", execute=check_files
    )
    for verb in (run, check):
        takes_config(verb, PLACES)
    status = verbs.add("status", summary="show a running host", execute=show)
    status.takes("name", nargs="?", metavar="NAME", help="a host of the lab")
    takes_target(status)
    reload = verbs.add(
        "reload", summary="have a running host read its records again", execute=reload_host
    )
    reload.takes("name", nargs="?", metavar="NAME", help="a host of the lab")
    takes_target(reload)
    log_level.add_parser(verbs, kind="host")


def _config_of(arguments: argparse.Namespace) -> Path:
    """Return the file that `ei.connect()` would take, too."""
    from ei.host.connect import find_host_config

    return expect_file(find_host_config(arguments.config, environ=os.environ), init="ei host init")


def run_daemon(arguments: argparse.Namespace, _output: Output) -> Exit:
    """Run the host; it logs to stderr."""
    from ei.host.daemon import run_host
    from ei.ways.cast_verbs import verbs_beside

    run_host(_config_of(arguments), metrics=arguments.metrics, beside=verbs_beside)
    return Exit.OK


def check_files(arguments: argparse.Namespace, output: Output) -> Exit:
    """Check the configuration that the arguments name."""
    return check_host(_config_of(arguments), output)


def check_host(path: Path, output: Output) -> Exit:
    """Show what a `host.toml` comes to; exit 1 when a record of it does not count."""
    from ei.host.connect import prepare_host
    from ei.records.addresses import format_address

    prepared = prepare_host(path)
    identity = prepared.identity
    records = prepared.records
    refused = {refusal.record: refusal.reason for refusal in records.refused}
    address = format_address(identity.address)
    output.data(f"{identity.name} is {address}")
    output.fold(f"nodes: {', '.join(prepared.names) or 'those of its attachment record'}")
    located = prepared.located
    if located is not None and located.trouble:
        output.fold(f"{output.mark('warn')} {located.trouble}")
    output.document(
        "ei.host-check/1",
        {
            "name": identity.name,
            "address": address,
            "nodes": list(prepared.names),
            "dns_trouble": "" if located is None else located.trouble,
            **show_records(len(records.names), refused, output),
        },
    )
    output.next(f"ei host run --config {path}")
    return Exit.NEGATIVE if refused else Exit.OK


def reload_host(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a host to read its records again."""
    from ei.cli.targets import find_target

    target = find_target(arguments.name, arguments, kind="host")
    _ = target.ask("reload")
    output.data(f"{target.name} has read its records again")
    output.document("ei.host-reload/1", {"name": target.name})
    return Exit.OK


def show(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a host for its status and show it."""
    from ei.cli.statuses import show_host
    from ei.cli.targets import find_target

    show_host(find_target(arguments.name, arguments, kind="host").ask("status"), output)
    return Exit.OK
