"""`ei domain`: who a domain is, and who is in it."""

import argparse
import time

from ei.cli import domain_declare, domain_dns, domain_locate, domain_sign
from ei.cli.domain_file import open_domain, takes_domain_files, takes_lifetime
from ei.cli.exits import Exit
from ei.cli.key import parse_domain_number
from ei.cli.output import Output
from ei.cli.parser import Verbs
from ei.cli.quantities import lifetime

KEY_DIGITS = 16
EXAMPLES = """\
example:
  ei domain init isp-a --number 1
  ei node init sn1.isp-a --endpoint 192.0.2.1:3535
"""


def add_parser(commands: Verbs) -> None:
    """Add `ei domain` and its verbs."""
    verbs = commands.add_noun(
        "domain",
        summary="the domain that you run: its key, and whom it signs",
        details="All verbs work on files, here: the key of the domain and its records.",
    )
    init = verbs.add(
        "init",
        summary="make the key and the first record of a domain",
        details="Nothing that exists is overwritten.",
        execute=make,
    )
    init.takes("name", metavar="NAME", help="such as isp-a; the last part of all names in it")
    init.takes(
        "--number",
        type=parse_domain_number,
        metavar="N",
        required=True,
        help="1 to 2^32 - 1, which no other domain has; part of all addresses in it",
    )
    takes_domain_files(init)
    takes_lifetime(init)
    init.ends(EXAMPLES)
    domain_sign.add_parser(verbs)
    domain_declare.add_parser(verbs)
    domain_locate.add_parser(verbs)
    domain_dns.add_parser(verbs)
    show = verbs.add(
        "list",
        summary="show whom the domain has signed, until when, and what it has revoked",
        execute=show_members,
    )
    takes_domain_files(show)


def make(arguments: argparse.Namespace, output: Output) -> Exit:
    """Make the key and the record of a domain."""
    from ei.cli.enrolment import randomness
    from ei.errors import ConfigError, ConflictError
    from ei.records.enrolling import Roll
    from ei.records.governance import DOMAIN_NAME
    from ei.records.issuer import Issuer
    from ei.records.key_files import write_keys
    from ei.records.keys import make_keys

    name, path = arguments.name, arguments.records
    if DOMAIN_NAME.fullmatch(name) is None:
        raise ConfigError(
            f"{name!r} is not the name of a domain: a-z, 0-9 and -, dots between",
            remedy="Such as isp-a, or example.org",
        )
    if path.exists():
        raise ConflictError(
            f"{path} exists, and a new domain begins with new records",
            remedy=f"Move it away first: mv {path} {path}.old",
        )
    keys = make_keys(randomness())
    issuer = Issuer(name, arguments.number, keys, int(time.time()) + arguments.lifetime_s)
    write_keys(arguments.domain_key, keys)
    _ = Roll(issuer, path, time.time()).add(lambda _: [])
    output.data(f"wrote {arguments.domain_key}, which signs for {name}: keep it off the network")
    output.data(f"wrote {path}, to be copied to all nodes and hosts")
    output.data(f"key {keys.identity_key.hex()}")
    output.document(
        "ei.domain-init/1",
        {"name": name, "number": arguments.number, "key": keys.identity_key.hex()},
    )
    output.next(f"ei node init sn1.{name} --endpoint IP:PORT", "ei domain list")
    return Exit.OK


def show_members(arguments: argparse.Namespace, output: Output) -> Exit:
    """Show the domain and everybody in it; exit 1 when a record does not count."""
    from ei.records.kinds import Enrolment, NodeRecord

    roll = open_domain(arguments)
    records = roll.read()
    issuer = roll.issuer
    members: list[tuple[str, str, Enrolment | NodeRecord]] = [
        *(("node", record.name, record) for record in records.nodes.values()),
        *(("host", record.names[0], record) for record in records.enrolments.values()),
    ]
    domain = records.domains.get(issuer.name)
    left = "over" if domain is None else lifetime(domain.expires_unix_s - roll.unix_s)
    output.data(f"{issuer.name}, number {issuer.number}, time left: {left}")
    output.data(f"key {issuer.keys.identity_key.hex()}")
    output.data("")
    output.table(
        ("name", "kind", "key", "time left"),
        [
            (
                name,
                kind,
                record.identity_key.hex()[:KEY_DIGITS],
                lifetime(record.expires_unix_s - roll.unix_s),
            )
            for kind, name, record in members
        ],
    )
    signed = records.revocations.get(issuer.name)
    if signed is not None:
        age = lifetime(roll.unix_s - signed.body.signed_unix_s)
        output.fold(
            f"list {signed.body.number} of revoked keys, {len(signed.body.keys)} in all, "
            f"signed {age} ago"
        )
    for refusal in records.refused:
        output.fold(f"{output.mark('bad')} {refusal.record}: {refusal.reason}")
    output.document(
        "ei.domain-list/1",
        {
            "name": issuer.name,
            "number": issuer.number,
            "key": issuer.keys.identity_key.hex(),
            "expires_unix_s": None if domain is None else domain.expires_unix_s,
            "members": [
                {
                    "name": name,
                    "kind": kind,
                    "key": record.identity_key.hex(),
                    "expires_unix_s": record.expires_unix_s,
                }
                for kind, name, record in members
            ],
            "revoked": [] if signed is None else [key.hex() for key in signed.body.keys],
            "refused": {each.record: each.reason for each in records.refused},
        },
    )
    return Exit.NEGATIVE if records.refused else Exit.OK
