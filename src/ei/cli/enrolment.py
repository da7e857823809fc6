"""What `ei node init` and `ei host init` share: the domain that signs, and its record file."""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.domain_file import DAY_S, LIFETIME_DAYS, read_domain_key, takes_domain_files
from ei.cli.key import parse_domain_number
from ei.cli.parser import Verb
from ei.errors import ConfigError

if TYPE_CHECKING:
    from ei.records.enrolling import Roll

RANDOM_BYTES = 32


def takes_domain(verb: Verb) -> None:
    """Let a verb take the domain that signs."""
    verb.takes("name", metavar="NAME", help="full name, such as sn1.isp-a; its domain signs it")
    verb.takes(
        "--domain-number",
        type=parse_domain_number,
        metavar="N",
        help="of the domain, 1 to 2^32 - 1, part of all its addresses (default: as in its records)",
    )
    takes_domain_files(verb)
    verb.takes(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="where to write (default: a folder of that name, here)",
    )


def folder_of(arguments: argparse.Namespace) -> Path:
    """Return where to write."""
    folder: Path | None = arguments.folder
    return Path(arguments.name) if folder is None else folder


def open_roll(arguments: argparse.Namespace) -> "Roll":
    """Return the record file of the domain, open for additions that last a year.

    Raises:
        ConfigError: the name has no domain, or nothing says which number that has.
        EiError: the key cannot be read.
    """
    from ei.records.enrolling import Roll, find_domain
    from ei.records.issuer import Issuer
    from ei.records.record_files import read_records

    domain = arguments.name.partition(".")[2]
    if not domain:
        raise ConfigError(
            f"{arguments.name!r} names no domain", remedy=f"Such as {arguments.name}.isp-a"
        )
    keys = read_domain_key(arguments.domain_key)
    path = arguments.records
    own = find_domain(read_records(path), keys) if path.exists() else None
    number: int = arguments.domain_number or (0 if own is None else own.number)
    if not number:
        raise ConfigError(
            f"{path} has no record of {domain}, and so no number of it",
            remedy=f"Begin with: ei domain init {domain} --number N; or add --domain-number N",
        )
    unix_s = time.time()
    expires_unix_s = int(unix_s) + LIFETIME_DAYS * DAY_S
    issuer = Issuer(domain, number, keys, expires_unix_s=expires_unix_s)
    return Roll(issuer, arguments.records, unix_s)


def randomness() -> bytes:
    """Return bytes of the system, for new keys."""
    return os.urandom(RANDOM_BYTES)
