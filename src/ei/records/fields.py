"""What no record may say, whoever signs it; each check raises `Refused`: a word and a sentence."""

from typing import NoReturn

from ei.errors import LocalError
from ei.records.addresses import (
    ADDRESS_BYTES,
    KEY_BYTES,
    MAX_DOMAIN_NUMBER,
    domain_number_of,
    format_address,
)
from ei.records.endpoints import parse_endpoint
from ei.records.kinds import EVERYBODY, DomainRecord
from ei.records.locations import MAX_LATITUDE, MAX_LONGITUDE, Location, is_location

MAX_PROVIDERS = 64
MAX_DIRECTORIES = 8
MAX_ALLOWED = 48
MAX_GUARDS = 8
MAX_SERVICE = 2**32


class Refused(Exception):  # noqa: N818 it says what became of the record
    """A record does not count; the message says why. Leaves no package that verifies.

    Attributes:
        word: Why, in one word to be counted by; `ei.records.reasons` has them all.
    """

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(reason)
        self.word = word


def refuse(word: str, reason: str) -> NoReturn:
    """Refuse a record.

    Raises:
        Refused: always.
    """
    raise Refused(word, reason)


def check_relations(record: DomainRecord) -> None:
    """Check what a domain says of its providers and directories."""
    if len(record.providers) > MAX_PROVIDERS:
        refuse(
            "bad_field", f"it has {len(record.providers)} providers, allowed are {MAX_PROVIDERS}"
        )
    for provider in record.providers:
        if not 1 <= provider <= MAX_DOMAIN_NUMBER or provider == record.number:
            refuse("bad_field", f"its provider {provider} is not the number of another domain")
    if len(record.directories) > MAX_DIRECTORIES:
        refuse(
            "bad_field",
            f"it has {len(record.directories)} directories, allowed are {MAX_DIRECTORIES}",
        )
    for directory in record.directories:
        if len(directory) != ADDRESS_BYTES or domain_number_of(directory) != record.number:
            refuse("bad_field", f"its directory {format_address(directory)} is no node of it")


def check_allowed(what: str, allowed: tuple[int | bytes, ...]) -> None:
    """Check whom a group allows: numbers of domains, then addresses of hosts."""
    if len(allowed) > MAX_ALLOWED:
        refuse("bad_field", f"it allows {len(allowed)} {what}, at most {MAX_ALLOWED}")
    numbers = sorted({each for each in allowed if isinstance(each, int)})
    addresses = sorted({each for each in allowed if isinstance(each, bytes)})
    if allowed != (*numbers, *addresses):
        refuse("bad_field", f"its {what} are not numbers, then addresses, each in order and once")
    if any(not EVERYBODY <= number <= MAX_DOMAIN_NUMBER for number in numbers):
        refuse("bad_field", f"its {what} name a domain number above {MAX_DOMAIN_NUMBER}")
    if any(len(address) != ADDRESS_BYTES for address in addresses):
        refuse("bad_field", f"its {what} name an address of other than {ADDRESS_BYTES} bytes")


def check_guards(guards: tuple[int, ...] | None) -> None:
    """Check whom a host wants before its pipes."""
    if guards is None:
        return
    if len(guards) > MAX_GUARDS:
        refuse("bad_field", f"it has {len(guards)} guards, allowed are {MAX_GUARDS}")
    if len(set(guards)) != len(guards):
        refuse("bad_field", "it names a guard twice")
    if any(not 0 < guard < MAX_SERVICE for guard in guards):
        refuse("bad_field", "a guard of it is not the number of a service")


def check_key(what: str, key: bytes) -> None:
    """Check the length of a key."""
    if len(key) != KEY_BYTES:
        refuse("bad_field", f"its {what} key has {len(key)} bytes, not {KEY_BYTES}")


def check_endpoint(endpoint: str) -> None:
    """Check that a socket could have this endpoint."""
    try:
        _ = parse_endpoint(endpoint)
    except LocalError as error:
        refuse("bad_field", f"its endpoint {error}")


def check_count(what: str, count: int, most: int) -> None:
    """Check that there is one at least, and no more than `most`."""
    if not 1 <= count <= most:
        refuse("bad_field", f"it has {count} {what}, allowed are 1 to {most}")


def check_location(location: Location | None) -> None:
    """Check that a place on Earth is meant, if one is."""
    if location is not None and not is_location(location):
        latitude, longitude = location
        refuse(
            "bad_field",
            f"its location is {latitude},{longitude}, allowed are {MAX_LATITUDE},{MAX_LONGITUDE}"
            " and what is nearer to 0,0",
        )
