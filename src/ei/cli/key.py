"""`ei key`: the identity keys of a host, node or domain."""

import argparse
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

MOST_DOMAIN_NUMBER = 2**32 - 1
RANDOM_BYTES = 64


def add_parser(commands: Verbs) -> None:
    """Add `ei key` and its verbs."""
    verbs = commands.add_noun(
        "key",
        summary="the identity keys of a host, node or domain",
        details="A key file is readable by its owner only, and never overwritten.",
    )
    new = verbs.add("new", summary="write a new key file", execute=make)
    show = verbs.add("show", summary="show the public half of a key file", execute=show_key)
    for verb in (new, show):
        verb.takes("file", type=Path, metavar="FILE", help="such as /etc/ei/key")
        verb.takes(
            "--domain",
            type=parse_domain_number,
            metavar="NUMBER",
            help="show the address that the key has in this domain, too",
        )


def parse_domain_number(text: str) -> int:
    """Parse the number of a domain."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= MOST_DOMAIN_NUMBER:
        raise argparse.ArgumentTypeError(f"{text!r} is not a domain number: 1 to 2^32 - 1")
    return number


def make(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write a new key file."""
    import os

    from ei.records.key_files import write_keys
    from ei.records.keys import make_keys

    write_keys(arguments.file, make_keys(os.urandom(RANDOM_BYTES)))
    output.talk(f"wrote {arguments.file}, mode 0600; keep a copy where only you can read it")
    return show_key(arguments, output)


def show_key(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show public keys, and the address in a domain."""
    from ei.records.addresses import format_address
    from ei.records.key_files import read_keys

    keys = read_keys(arguments.file)
    content = {"identity": keys.identity_key.hex(), "pipe": keys.pipe_key.hex()}
    if arguments.domain is not None:
        content["address"] = format_address(keys.address(arguments.domain))
    for name, value in content.items():
        output.data(f"{name:9} {value}")
    output.document("ei.key/1", content)
    return Exit.OK
