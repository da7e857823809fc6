"""`ei key`: the identity keys of a host, node or domain."""

import argparse
from pathlib import Path

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

MOST_DOMAIN_NUMBER = 2**32 - 1
RANDOM_BYTES = 64
REQUEST_S = 7 * 86_400


def add_parser(commands: Verbs) -> None:
    """Add `ei key` and its verbs."""
    verbs = commands.add_noun(
        "key",
        summary="the identity keys of a host, node or domain",
        details="A key file is readable by its owner only, and never overwritten.",
    )
    new = verbs.add("new", summary="write a new key file", execute=make)
    show = verbs.add("show", summary="show the public half of a key file", execute=show_key)
    request = verbs.add(
        "request",
        summary="write a request to be enrolled, for the domain to sign",
        details="It proves that you hold the key, and tells nothing secret. A node has endpoints.",
        execute=make_request,
    )
    request.takes("name", metavar="NAME", help="full name, such as alice.isp-a")
    request.takes("--key", type=Path, metavar="FILE", required=True, help="your key file")
    request.takes(
        "--endpoint", action="append", default=[], metavar="ENDPOINT", help="where a node answers"
    )
    request.takes(
        "--service", action="append", default=[], metavar="SERVICE", help="what a node runs"
    )
    request.takes("--out", type=Path, metavar="FILE", help="where to write (default: NAME.request)")
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


def make_request(arguments: argparse.Namespace, output: Output) -> Exit:
    """Write a request to be enrolled."""
    import time

    from ei.records.endpoints import parse_endpoint
    from ei.records.key_files import read_keys
    from ei.records.requests import seal_request
    from ei.runtime.loader import load_service

    for endpoint in arguments.endpoint:
        _ = parse_endpoint(endpoint)
    keys = read_keys(arguments.key)
    path: Path = arguments.out or Path(f"{arguments.name}.request")
    _ = path.write_bytes(
        seal_request(
            keys,
            name=arguments.name,
            endpoints=tuple(arguments.endpoint),
            services=tuple(load_service(name).manifest.id for name in arguments.service),
            expires_unix_s=int(time.time()) + REQUEST_S,
        )
    )
    output.data(f"wrote {path}, good for a week")
    output.data(f"key {keys.identity_key.hex()}")
    output.document("ei.key-request/1", {"path": str(path), "key": keys.identity_key.hex()})
    output.talk("send it to your domain, and tell it the key by another way")
    output.next(f"ei domain enrol {path}")
    return Exit.OK


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
