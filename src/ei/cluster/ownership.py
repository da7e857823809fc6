"""Who owns a service's state, as etcd has it: changed by transactions that name the last revision.

Kept as JSON: {"epoch": 7, "owner": "fd35...", "in_sync": ["fd35...", ...]}, addresses in hex.
"""

import msgspec

from ei.errors import ConfigError
from ei.sdk.packets import Address

ADDRESS_BYTES = 16


class Ownership(msgspec.Struct, frozen=True):
    """Who may take writes, and whose disks must have them before they are acknowledged.

    Attributes:
        epoch: Grows with every owner, and whenever the same one starts anew.
        owner: Of the state; a member of `in_sync`.
        in_sync: Members that have everything that was ever acknowledged, in order.
        revision: Of etcd, at which it was written; not part of what is kept.
    """

    epoch: int
    owner: Address
    in_sync: tuple[Address, ...]
    revision: int = 0

    @property
    def is_first(self) -> bool:
        """Whether nobody but the first owner has ever had anything."""
        return self.epoch == 1 and self.in_sync == (self.owner,)

    def passed_on(self, owner: Address, *, without: Address | None = None) -> "Ownership":
        """Return the next epoch, in which another owns it."""
        in_sync = tuple(each for each in self.in_sync if each != without)
        return Ownership(self.epoch + 1, owner, in_sync, self.revision)

    def with_members(self, in_sync: frozenset[Address]) -> "Ownership":
        """Return the same epoch with another set."""
        return Ownership(self.epoch, self.owner, tuple(sorted(in_sync)), self.revision)


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    epoch: int
    owner: str
    in_sync: list[str]


def encode_ownership(ownership: Ownership) -> bytes:
    """Return the value that etcd keeps."""
    in_sync = [each.hex() for each in ownership.in_sync]
    return msgspec.json.encode(_Kept(ownership.epoch, ownership.owner.hex(), in_sync))


def decode_ownership(value: bytes, *, revision: int) -> Ownership:
    """Return what etcd keeps.

    Raises:
        ConfigError: it is none; someone else has written there.
    """
    try:
        kept = msgspec.json.decode(value, type=_Kept)
        found = Ownership(
            kept.epoch, _address(kept.owner), tuple(map(_address, kept.in_sync)), revision
        )
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigError(f"etcd keeps no ownership but {value[:80]!r}: {error}") from error
    if found.owner not in found.in_sync or found.epoch < 1:
        raise ConfigError(f"etcd keeps an owner that is not in sync: {value[:80]!r}")
    return found


def _address(text: str) -> Address:
    address = bytes.fromhex(text)
    if len(address) != ADDRESS_BYTES:
        raise ValueError(f"address of {len(address)} B, {ADDRESS_BYTES} B allowed")
    return Address(address)
