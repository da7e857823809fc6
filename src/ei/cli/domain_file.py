"""What commands of a domain work on: the file of its key and the file of its records."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.parser import Verb
from ei.errors import ConfigError

if TYPE_CHECKING:
    from ei.records.enrolling import Roll
    from ei.records.keys import Keys

LIFETIME_DAYS = 365
MAX_DAYS = 3_650
DAY_S = 86_400


def takes_domain_files(verb: Verb) -> None:
    """Let a verb take the key and the records of a domain."""
    verb.takes(
        "--domain-key",
        type=Path,
        metavar="FILE",
        default=Path("domain.key"),
        help="of the domain (default: domain.key; ei domain init makes one)",
    )
    verb.takes(
        "--records",
        type=Path,
        metavar="FILE",
        default=Path("records.eir"),
        help="the domain's record file (default: records.eir)",
    )


def takes_lifetime(verb: Verb) -> None:
    """Let a verb take how long what it signs is to last; comes as `lifetime_s`."""
    verb.takes(
        "--days",
        type=parse_days,
        metavar="N",
        dest="lifetime_s",
        default=LIFETIME_DAYS * DAY_S,
        help=f"how long it lasts, 1 to {MAX_DAYS} (default: {LIFETIME_DAYS})",
    )


def parse_days(text: str) -> int:
    """Parse a number of days; return seconds."""
    days = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= days <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days: 1 to {MAX_DAYS}")
    return days * DAY_S


def read_domain_key(path: Path) -> "Keys":
    """Read the key of a domain.

    Raises:
        ConfigError: there is none, with the way to make one.
        EiError: it cannot be read.
    """
    from ei.records.key_files import read_keys

    if not path.exists():
        raise ConfigError(
            f"no key of the domain in {path}", remedy="Make one, once: ei domain init"
        )
    return read_keys(path)


def open_domain(arguments: argparse.Namespace, *, lifetime_s: int = 0) -> "Roll":
    """Return the record file of the domain whose key was given, open for changes.

    Raises:
        ConfigError: the domain has no record in it.
        EiError: a file cannot be read.
    """
    from ei.records.enrolling import Roll, find_domain
    from ei.records.issuer import Issuer
    from ei.records.record_files import read_records

    keys = read_domain_key(arguments.domain_key)
    own = find_domain(read_records(arguments.records), keys)
    if own is None:
        raise ConfigError(
            f"{arguments.records} has no record of a domain with key {keys.identity_key.hex()[:8]}",
            remedy="Name its file with --records, or begin with: ei domain init",
        )
    unix_s = time.time()
    issuer = Issuer(own.name, own.number, keys, expires_unix_s=int(unix_s) + lifetime_s)
    return Roll(issuer, arguments.records, unix_s)
