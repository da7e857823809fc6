"""`ei node`: a service node of this machine."""

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from ei.cli import log_level, node_drain, node_init, node_member, node_upgrade
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verb, Verbs
from ei.cli.targets import takes_target
from ei.errors import ConfigError

DEFAULT_FILE = Path("/etc/ei/node.toml")


def add_parser(commands: Verbs) -> None:
    """Add `ei node` and its verbs."""
    verbs = commands.add_noun("node", summary="a service node of this machine")
    node_init.add_parser(verbs)
    run = verbs.add("run", summary="run the node until Ctrl-C or SIGTERM", execute=run_daemon)
    check = verbs.add(
        "check", summary="read all that node.toml names, and say what is wrong", execute=check_files
    )
    for verb in (run, check):
        takes_config(verb, str(DEFAULT_FILE))
    status = verbs.add("status", summary="show a running node", execute=show)
    status.takes("name", nargs="?", metavar="NAME", help="a node of the lab")
    takes_target(status)
    reload = verbs.add(
        "reload",
        summary="have a running node read node.toml and the records again",
        details="All of it counts from now on or, when something is wrong, nothing.",
        execute=reload_node,
    )
    reload.takes("name", nargs="?", metavar="NAME", help="a node of the lab")
    takes_target(reload)
    node_drain.add_parser(verbs)
    node_member.add_parser(verbs)
    node_upgrade.add_parser(verbs)
    log_level.add_parser(verbs, kind="node")


def takes_config(verb: Verb, default: str) -> None:
    """Let a verb take a configuration file."""
    verb.takes(
        "--config",
        type=Path,
        metavar="FILE",
        help=f"configuration file (default: $EI_CONFIG, else {default})",
    )


def expect_file(path: Path, *, init: str) -> Path:
    """Return the path of a configuration file.

    Args:
        init: The command that writes one.

    Raises:
        ConfigError: there is none.
    """
    if not path.exists():
        raise ConfigError(f"there is no file {path}", remedy=f"Write one: {init}")
    return path


def _config_of(arguments: argparse.Namespace) -> Path:
    path: Path | None = arguments.config
    named = Path(os.environ.get("EI_CONFIG") or DEFAULT_FILE)
    return expect_file(named if path is None else path, init="ei node init")


def run_daemon(arguments: argparse.Namespace, _output: Output) -> Exit:
    """Run the node; it logs to stderr."""
    from ei.node.daemon import run_node

    run_node(_config_of(arguments))
    return Exit.OK


def check_files(arguments: argparse.Namespace, output: Output) -> Exit:
    """Check the configuration that the arguments name."""
    return check_node(_config_of(arguments), output)


def check_node(path: Path, output: Output) -> Exit:
    """Show what a `node.toml` comes to; exit 1 when a record of it does not count."""
    from ei.node.policy import foreign_domains, neighbour_line
    from ei.node.prepare import prepare_node
    from ei.node.trying import try_modules

    prepared = prepare_node(path)
    try_modules(prepared)
    config = prepared.config
    records = prepared.records
    refused = {refusal.record: refusal.reason for refusal in records.refused}
    services = [service.manifest.name for service in prepared.services]
    output.fold(f"{config.name} listens on {', '.join(config.binds)}")
    if config.xdp:
        output.fold(f"takes packets from {', '.join(config.xdp)} by AF_XDP")
    output.fold(f"services: {', '.join(services) or 'none'}")
    foreign = foreign_domains(config, records)
    named = ", ".join([config.name.partition(".")[2], *config.neighbours])
    taken = "everybody known" if config.policy == "lab-permissive" else named
    output.fold(f"policy {config.policy}: takes packets of {taken}")
    if foreign:
        output.fold(
            f"{output.mark('warn')} refuses packets of {', '.join(foreign)}; to take them:"
            f" ei peer add {foreign[0]}, or in node.toml: {neighbour_line(foreign[0])}"
        )
    output.document(
        "ei.node-check/1",
        {
            "name": config.name,
            "binds": list(config.binds),
            "xdp": list(config.xdp),
            "services": services,
            "policy": config.policy,
            "refused_domains": foreign,
            **show_records(len(records.names), refused, output),
        },
    )
    output.next(f"ei node run --config {path}")
    return Exit.NEGATIVE if refused else Exit.OK


def show_records(names: int, refused: Mapping[str, str], output: Output) -> dict[str, object]:
    """Show how many names the records have and which of them do not count; return it as JSON."""
    output.data(f"records: {names} names, {len(refused)} refused")
    for record, reason in refused.items():
        output.fold(f"{output.mark('bad')} {record}: {reason}")
    return {"names": names, "refused": dict(refused)}


def reload_node(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a node to read its files again; exit 1 when a record does not count."""
    import msgspec

    from ei.cli.targets import find_target
    from ei.node.admin import ReloadAnswer

    target = find_target(arguments.name, arguments, kind="node")
    answer = msgspec.convert(target.ask("reload"), ReloadAnswer)
    shown = show_records(answer.names, answer.refused, output)
    for key in answer.needs_restart:
        output.data(f"{output.mark('warn')} {key} has changed: that needs a restart")
    output.document(
        "ei.node-reload/1",
        {"name": target.name, **shown, "needs_restart": list(answer.needs_restart)},
    )
    return Exit.NEGATIVE if answer.refused else Exit.OK


def show(arguments: argparse.Namespace, output: Output) -> Exit:
    """Ask a node for its status and show it."""
    from ei.cli.statuses import show_node
    from ei.cli.targets import find_target

    show_node(find_target(arguments.name, arguments, kind="node").ask("status"), output)
    return Exit.OK
