"""`ei domain enrol|renew|revoke|refresh`: what a domain signs, and what it takes back."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.domain_file import open_domain, takes_domain_files, takes_lifetime
from ei.cli.exits import Exit
from ei.cli.output import Output
from ei.cli.parser import Verbs

if TYPE_CHECKING:
    from ei.records.enrolling import Roll
    from ei.records.record_set import RecordSet

KEY_DIGITS = 64
RELOAD = "ei node reload, at all nodes that have the file"


def add_parser(verbs: Verbs) -> None:
    """Add the verbs."""
    enrol = verbs.add(
        "enrol",
        summary="sign requests of hosts and nodes, made by ei key request",
        details="Compare the key with its owner's own words before. Who is enrolled is renewed.",
        execute=enrol_requests,
    )
    enrol.takes("requests", nargs="+", type=Path, metavar="REQUEST", help="request files")
    renew = verbs.add(
        "renew",
        summary="sign again what would expire: the domain and all in it, or those named",
        execute=renew_records,
    )
    renew.takes("names", nargs="*", metavar="NAME", help="full names (default: all)")
    for verb in (enrol, renew):
        takes_lifetime(verb)
    revoke = verbs.add(
        "revoke",
        summary="make keys count no more: those of a host or node, or any by their digits",
        details="For ever: whom it hits needs new keys. Nodes that read the records cut its pipes.",
        execute=revoke_keys,
    )
    revoke.takes("subjects", nargs="+", metavar="NAME|KEY", help="a full name, or 64 digits")
    refresh = verbs.add(
        "refresh",
        summary="sign the list of revoked keys again, so that it stays fresh",
        details="From a domain whose list is older than 15 minutes no new pipes are opened.",
        execute=refresh_list,
    )
    for verb in (enrol, renew, revoke, refresh):
        takes_domain_files(verb)


def enrol_requests(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign each request, or none if one is bad."""
    from ei.errors import ConfigError
    from ei.records.addresses import format_address
    from ei.records.requests import Request, open_request

    roll = open_domain(arguments, lifetime_s=arguments.lifetime_s)
    requests: list[Request] = []
    for path in arguments.requests:
        try:
            requests.append(open_request(path.read_bytes(), unix_s=roll.unix_s))
        except OSError as error:
            raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    members: list[dict[str, str]] = []
    for request in requests:
        records = roll.enrol(request)
        address = format_address(records.find(request.name))
        members.append(
            {"name": request.name, "address": address, "key": request.identity_key.hex()}
        )
        output.data(f"signed {request.name}, {address}")
        output.fold(f"key {request.identity_key.hex()}")
    output.document("ei.domain-enrol/1", {"members": members})
    output.next(RELOAD, "ei domain list")
    return Exit.OK


def renew_records(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign again."""
    roll = open_domain(arguments, lifetime_s=arguments.lifetime_s)
    names = roll.renew(arguments.names)
    output.fold(f"renewed {', '.join(names)}")
    expires_unix_s = roll.issuer.expires_unix_s
    output.document("ei.domain-renew/1", {"names": names, "expires_unix_s": expires_unix_s})
    output.next(RELOAD)
    return Exit.OK


def revoke_keys(arguments: argparse.Namespace, output: Output) -> Exit:
    """Revoke what was named."""
    roll = open_domain(arguments)
    records = roll.read()
    keys = [key for subject in arguments.subjects for key in _keys_of(subject, records)]
    return _sign_list(roll, keys, output)


def refresh_list(arguments: argparse.Namespace, output: Output) -> Exit:
    """Sign the list again."""
    return _sign_list(open_domain(arguments), [], output)


def _sign_list(roll: "Roll", keys: list[bytes], output: Output) -> Exit:
    body = roll.revoke(keys)
    for key in keys:
        output.data(f"revoked {key.hex()}")
    output.data(f"signed list {body.number} of {body.domain}: {len(body.keys)} keys are revoked")
    output.document(
        "ei.domain-revoke/1",
        {
            "number": body.number,
            "new": [key.hex() for key in keys],
            "revoked": [key.hex() for key in body.keys],
        },
    )
    output.talk("keep it fresh: domain_key_file in one node.toml, or ei domain refresh by a timer")
    output.next(RELOAD)
    return Exit.OK


def _keys_of(subject: str, records: "RecordSet") -> list[bytes]:
    """Return the keys of a host or node, or the one that 64 digits write.

    Raises:
        LocalError: nobody has the name, or the digits are none.
    """
    from ei.errors import NotFoundError
    from ei.records.trust import parse_key

    if len(subject) == KEY_DIGITS and "." not in subject:
        return [parse_key(subject, where="KEY")]
    address = records.find(subject)
    record = records.enrolments.get(address) or records.nodes.get(address)
    if record is None:
        raise NotFoundError(
            f"{subject} is neither a host nor a node", remedy="ei domain list shows who is."
        )
    return [record.identity_key, record.pipe_key]
