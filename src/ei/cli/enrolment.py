"""What `ei node init` and `ei host init` share: the domain that signs, and its record file."""

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ei.cli.key import parse_domain_number
from ei.cli.parser import Verb
from ei.errors import ConfigError

if TYPE_CHECKING:
    from ei.records.enrolling import Roll

LIFETIME_DAYS = 365
DAY_S = 86_400
RANDOM_BYTES = 32


def takes_domain(verb: Verb) -> None:
    """Let a verb take the domain that signs."""
    verb.takes("name", metavar="NAME", help="full name, such as sn1.isp-a; its domain signs it")
    verb.takes(
        "--domain-number",
        type=parse_domain_number,
        metavar="N",
        required=True,
        help="of the domain, 1 to 2^32 - 1; part of all its addresses",
    )
    verb.takes(
        "--domain-key",
        type=Path,
        metavar="FILE",
        default=Path("domain.key"),
        help="of the domain (default: domain.key; ei key new makes one)",
    )
    verb.takes(
        "--records",
        type=Path,
        metavar="FILE",
        default=Path("records.eir"),
        help="the domain's record file, made when it is not there (default: records.eir)",
    )
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
        ConfigError: the name has no domain.
        EiError: the key cannot be read.
    """
    from ei.records.enrolling import Roll
    from ei.records.issuer import Issuer
    from ei.records.key_files import read_keys

    domain = arguments.name.partition(".")[2]
    if not domain:
        raise ConfigError(
            f"{arguments.name!r} names no domain", remedy=f"Such as {arguments.name}.isp-a"
        )
    if not arguments.domain_key.exists():
        raise ConfigError(
            f"no key of the domain in {arguments.domain_key}",
            remedy=f"Make one, once: ei key new {arguments.domain_key}",
        )
    unix_s = time.time()
    issuer = Issuer(
        domain,
        arguments.domain_number,
        read_keys(arguments.domain_key),
        expires_unix_s=int(unix_s) + LIFETIME_DAYS * DAY_S,
    )
    return Roll(issuer, arguments.records, unix_s)


def randomness() -> bytes:
    """Return bytes of the system, for new keys."""
    return os.urandom(RANDOM_BYTES)
