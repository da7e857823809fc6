"""`ei host attach`: state in the record file where a host is attached."""

import argparse
import time

from ei.cli.domain_file import takes_lifetime
from ei.cli.exits import Exit
from ei.cli.node import expect_file, takes_config
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import lifetime

DETAILS = """\
The host signs it itself, in its record file: again before it expires, and after its domain has
enrolled it by a request. Nodes count it once they have read the file again."""


def add_parser(verbs: Verbs, *, places: str) -> None:
    """Add `ei host attach`."""
    verb = verbs.add(
        "attach",
        summary="state in the record file at which nodes the host is",
        details=DETAILS,
        execute=execute,
    )
    takes_config(verb, places)
    takes_lifetime(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign the attachment."""
    import os

    from ei.host.connect import find_host_config, prepare_host
    from ei.host.guards import guard_numbers
    from ei.records.attaching import write_attachment

    path = expect_file(find_host_config(arguments.config, environ=os.environ), init="ei host init")
    prepared = prepare_host(path)
    config, identity = prepared.config, prepared.identity
    record = write_attachment(
        prepared.folder / config.records_file,
        identity.keys,
        host=identity.address,
        nodes=tuple(prepared.nodes),
        unix_s=time.time(),
        life_s=min(arguments.lifetime_s, config.attachment_limit_s),
        guards=guard_numbers(config.guards),
    )
    names = [prepared.records.name_of(node) for node in record.nodes]
    left = lifetime(record.expires_unix_s - time.time())
    output.fold(f"{identity.name} is attached to {', '.join(names)}, time left: {left}")
    output.document(
        "ei.host-attach/1",
        {"name": identity.name, "nodes": names, "expires_unix_s": record.expires_unix_s},
    )
    output.next("ei node reload, at all nodes that have the file")
    return Exit.OK
