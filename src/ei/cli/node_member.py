"""`ei node member`: the members of a cluster, and who comes and goes."""

import argparse

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.targets import RUN_FOLDER, Target, find_target, takes_target


def add_parser(verbs: Verbs) -> None:
    """Add `ei node member` and its verbs."""
    members = verbs.add_noun("member", summary="the members of a node's cluster")
    listed = members.add(
        "list", summary="show the members, and who has the state of which service", execute=show
    )
    listed.takes("name", nargs="?", metavar="NODE", help="a node of the lab")
    takes_target(listed)
    add = members.add(
        "add",
        summary="let a member own state and keep copies again, after it was removed",
        details="A node becomes a member by running with the same [cluster] in its node.toml.",
        execute=add_member,
    )
    remove = members.add(
        "remove",
        summary="let a member leave: what it owns passes to others, without loss",
        details="Below the number of copies that a service asks for, it stays in sync until another"
        " has taken its place.",
        execute=remove_member,
    )
    for verb in (add, remove):
        verb.takes("name", metavar="MEMBER", help="full name of the member")
        verb.takes(
            "--node", metavar="NODE", help="which node of the lab is asked (default: the member)"
        )
        takes_target(verb)


def show(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show what a node knows of its cluster; exit 1 when it is in none."""
    import msgspec

    from ei.cli.clusters import show_cluster
    from ei.node.admin import RunningStatus

    target = find_target(arguments.name, arguments, kind="node")
    running = msgspec.convert(target.ask("status"), RunningStatus)
    if running.cluster is None:
        output.data(f"{running.node.name} is in no cluster")
    else:
        show_cluster(running.cluster, output)
    output.document(
        "ei.node-members/1",
        {"name": running.node.name, "cluster": msgspec.to_builtins(running.cluster)},
    )
    return Exit.NEGATIVE if running.cluster is None else Exit.OK


def add_member(arguments: argparse.Namespace, output: Output) -> Exit:
    """Let a member come back."""
    return _change(arguments, output, is_leaving=False)


def remove_member(arguments: argparse.Namespace, output: Output) -> Exit:
    """Let a member leave."""
    return _change(arguments, output, is_leaving=True)


def _change(arguments: argparse.Namespace, output: Output, *, is_leaving: bool) -> Exit:
    target = _whom(arguments)
    name: str = arguments.name
    _ = target.ask("member", {"name": name, "is_leaving": is_leaving})
    output.data(f"{name} leaves" if is_leaving else f"{name} is a member")
    output.document("ei.node-member/1", {"name": name, "is_leaving": is_leaving})
    output.next("ei node member list")
    return Exit.OK


def _whom(arguments: argparse.Namespace) -> Target:
    """Return the node to ask: this machine's own, or one of the lab."""
    is_own = arguments.socket is not None or (RUN_FOLDER / "node.sock").exists()
    name = arguments.node or (None if is_own else arguments.name)
    return find_target(name, arguments, kind="node")
