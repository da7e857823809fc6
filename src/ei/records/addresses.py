"""Addresses: 16 bytes on the wire, IPv6 for people.

    fd35 | domain number u32 | first 80 bits of SHA-256(tag | domain number | identity key)

All big-endian, so that addresses aggregate by domain. 80 bits name a key, they do not prove it:
signatures do.
"""

import ipaddress

from ei.errors import LocalError
from ei.sdk.packets import Address
from ei.sdk.packets import domain_number_of as domain_number_of  # noqa: PLC0414 part of this page
from ei.sdk.signatures import HOST_TAG, PREFIX, address_named_by

ADDRESS_BYTES = 16
KEY_BYTES = 32
GROUP_TAG = b"ei group address 1"
MAX_DOMAIN_NUMBER = 2**32 - 1


def make_address(domain_number: int, identity_key: bytes) -> Address:
    """Return the address of the host or node with this identity in this domain.

    Args:
        domain_number: 1 to 2^32 - 1.
        identity_key: Ed25519 public key, 32 bytes.

    Raises:
        LocalError: a number or key out of range.
    """
    return _hashed(domain_number, HOST_TAG, identity_key)


def make_group_address(domain_number: int, owner_key: bytes, name: str) -> Address:
    """Return the address of the group `name` of an owner; see `make_address`."""
    return _hashed(domain_number, GROUP_TAG, owner_key, name.encode())


def format_address(address: bytes) -> str:
    """Return the IPv6 form, such as `fd35:0:1:9c1b:...`; what is not 16 bytes comes as hex."""
    if len(address) != ADDRESS_BYTES:
        return address.hex()
    return str(ipaddress.IPv6Address(address))


def parse_address(text: str) -> Address:
    """Return the address that `text` writes as IPv6 or as 32 hexadecimal digits.

    Raises:
        LocalError: neither, or not under `fd35::/16`.
    """
    try:
        packed = _packed(text) if ":" in text else bytes.fromhex(text)
    except ValueError as error:
        raise LocalError(f"{text!r} is not an address: {error}") from error
    if len(packed) != ADDRESS_BYTES or not packed.startswith(PREFIX):
        raise LocalError(f"{text!r} is not an address: want 16 bytes under fd35::/16")
    return Address(packed)


def _packed(text: str) -> bytes:
    address = ipaddress.IPv6Address(text)
    if address.scope_id is not None:
        raise ValueError("it names an interface")
    return address.packed


def _hashed(domain_number: int, tag: bytes, key: bytes, *further: bytes) -> Address:
    if not 1 <= domain_number <= MAX_DOMAIN_NUMBER:
        raise LocalError(f"domain number {domain_number} is not 1 to {MAX_DOMAIN_NUMBER}")
    if len(key) != KEY_BYTES:
        raise LocalError(f"an identity key has {KEY_BYTES} bytes, not {len(key)}")
    return address_named_by(domain_number, tag, key, *further)
