"""`ei peer`: the domains that a node works with, and what each is to it."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.exits import Exit
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verb, Verbs

if TYPE_CHECKING:
    from ei.node.config import NodeConfig

KEY_DIGITS = 32
EXAMPLES = """\
example:
  ei domain list                                                # there: its key
  ei peer add isp-b.eir --fingerprint ab12... --relation peer   # here
  ei node reload
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei peer` and its verbs."""
    verbs = commands.add_noun(
        "peer",
        summary="the domains that a node works with, and what each is to it",
        details="They are in node.toml, which these verbs change; ei node reload makes it count.",
    )
    add = verbs.add(
        "add",
        summary="trust a domain whose key you have checked, and take packets of its nodes",
        details=(
            "The fingerprint is the beginning of the domain's key, as its operator told you by"
            " telephone or on paper: at least 32 digits of what ei domain list shows there."
        ),
        execute=add_peer,
    )
    add.takes(
        "domain",
        metavar="FILE|DOMAIN",
        help="its records.eir, or its name where its records are in the node's file already",
    )
    add.takes("--fingerprint", required=True, metavar="KEY", help="of the domain's key")
    add.takes(
        "--relation",
        choices=("customer", "peer", "provider"),
        default="peer",
        metavar="WORD",
        help="what the domain is to this one: customer, peer or provider (default: peer)",
    )
    add.ends(EXAMPLES)
    listed = verbs.add("list", summary="show the domains that a node knows", execute=list_peers)
    remove = verbs.add(
        "remove",
        summary="trust a domain no more, and take no more packets of its nodes",
        execute=remove_peer,
    )
    remove.takes("domain", metavar="DOMAIN", help="its name")
    for verb in (add, listed, remove):
        _takes_config(verb)


def _takes_config(verb: Verb) -> None:
    from ei.cli.node import DEFAULT_FILE

    takes_config(verb, str(DEFAULT_FILE))


def _config_path(arguments: argparse.Namespace) -> Path:
    import os

    from ei.cli.node import DEFAULT_FILE

    path: Path | None = arguments.config
    named = Path(os.environ.get("EI_CONFIG") or DEFAULT_FILE)
    return expect_file(named if path is None else path, init="ei node init")


def add_peer(arguments: argparse.Namespace, output: Output) -> Exit:
    """Take a domain into trust and neighbours, and its records into the node's file."""
    from ei.daemons.toml_rows import with_row
    from ei.node.config import load_node_config
    from ei.node.peering import choose_domain, find_domains
    from ei.records.record_files import locked, read_records, write_records

    path = _config_path(arguments)
    config = load_node_config(path)
    own = config.name.partition(".")[2]
    records = path.parent / config.records_file
    file = Path(arguments.domain)
    has_file = file.is_file()
    envelopes = read_records(file if has_file else records)
    domain = choose_domain(
        find_domains(envelopes),
        fingerprint=arguments.fingerprint,
        own=own,
        name="" if has_file else arguments.domain,
    )
    key = domain.key.hex()
    _change(
        path,
        lambda text: with_row(
            with_row(text, "trust", domain.name, key), "neighbours", domain.name, arguments.relation
        ),
    )
    new = 0
    if has_file:
        with locked(records):
            known = read_records(records)
            added = [envelope for envelope in envelopes if envelope not in set(known)]
            write_records(records, [*known, *added])
        new = len(added)
    output.data(f"{domain.name} is a {arguments.relation} of {own} now: its key begins as you said")
    output.data(f"key {key}")
    output.fold(f"wrote {path}: [trust] and [neighbours]")
    if has_file:
        output.fold(f"wrote {records}: {new} records more")
    output.document(
        "ei.peer-add/1",
        {
            "name": domain.name,
            "number": domain.number,
            "key": key,
            "relation": arguments.relation,
            "records": new,
        },
    )
    output.next("ei node reload", "ei peer list")
    return Exit.OK


def list_peers(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show the domains that a node trusts or names, and what each is to it."""
    import time

    from ei.daemons.known_records import load_records
    from ei.node.config import load_node_config

    path = _config_path(arguments)
    config = load_node_config(path)
    own = config.name.partition(".")[2]
    records = load_records(path.parent, config, unix_s=time.time())
    keys = {name: record_key for name, record_key in config.trust.items() if name != own}
    names = sorted({*keys, *config.neighbours, *config.guests, *records.domains} - {own})
    rows = [
        {
            "name": name,
            "relation": _relation(config, name),
            "is_guest": name in config.guests or config.policy == "lab-permissive",
            "nodes": sum(node.name.endswith(f".{name}") for node in records.nodes.values()),
            "key": keys.get(name, ""),
        }
        for name in names
    ]
    output.table(
        ("domain", "relation", "guests", "nodes", "key"),
        [
            (
                str(row["name"]),
                str(row["relation"]),
                "yes" if row["is_guest"] else "no",
                str(row["nodes"]),
                str(row["key"])[:KEY_DIGITS] or "by governance",
            )
            for row in rows
        ],
    )
    output.document("ei.peer-list/1", {"name": own, "policy": config.policy, "peers": rows})
    return Exit.OK


def remove_peer(arguments: argparse.Namespace, output: Output) -> Exit:
    """Take a domain out of trust and neighbours; its records stay, and count no more."""
    from ei.daemons.toml_rows import without_row
    from ei.errors import NotFoundError
    from ei.node.config import load_node_config

    path = _config_path(arguments)
    config = load_node_config(path)
    name: str = arguments.domain
    if name == config.name.partition(".")[2]:
        raise NotFoundError(
            f"{name} is the node's own domain", remedy="See the others: ei peer list"
        )
    if name not in {*config.trust, *config.neighbours}:
        raise NotFoundError(
            f"{name} is no peer of this node", remedy="See which there are: ei peer list"
        )
    _change(path, lambda text: without_row(without_row(text, "trust", name), "neighbours", name))
    output.data(f"{name} is no peer any more")
    output.fold(f"wrote {path}")
    output.document("ei.peer-remove/1", {"name": name})
    output.next("ei node reload")
    return Exit.OK


def _relation(config: "NodeConfig", name: str) -> str:
    relations: Mapping[str, str] | None = config.relations
    return "peer" if relations is None else relations.get(name, "none")


def _change(path: Path, change: Callable[[str], str]) -> None:
    """Write the changed text of a configuration, if it is still one: whole, or not at all."""
    from ei.node.config import load_node_config

    new = path.with_name(f".{path.name}.new")
    _ = new.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    try:
        _ = load_node_config(new)
        new.chmod(path.stat().st_mode & 0o7777)
        _ = new.replace(path)
    finally:
        new.unlink(missing_ok=True)
