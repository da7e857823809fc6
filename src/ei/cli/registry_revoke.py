"""`ei registry revoke`: a governor signs that no node may run a release any more."""

import argparse
import time

from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.registry import opened, sign_draft, takes_keys, takes_registry


def add_parser(verbs: Verbs) -> None:
    """Add `ei registry revoke`."""
    verb = verbs.add(
        "revoke",
        summary="sign that no node may run a release any more",
        details="It counts with as many signatures as an approval, and is never taken back: "
        "what is good again is another version.",
        execute=execute,
    )
    verb.takes("release", metavar="NAME@VERSION", help="such as hello@0.1.0")
    verb.takes("--why", required=True, metavar="TEXT", help="what nodes and operators are told")
    takes_keys(verb)
    takes_registry(verb)


def execute(arguments: argparse.Namespace, output: Output) -> Exit:
    """Draft, sign, and publish."""
    from ei.errors import ConfigError
    from ei.registry.releases import MAX_WHY, parse_release_name

    name, version = parse_release_name(arguments.release)
    if not 0 < len(arguments.why) <= MAX_WHY:
        raise ConfigError(f"--why has {len(arguments.why)} characters, 1 to {MAX_WHY} allowed")
    registry = opened(arguments)
    _ = registry.revoke(name, version, why=arguments.why, unix_s=time.time())
    return sign_draft(registry, arguments.key, output)
