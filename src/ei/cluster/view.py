"""What etcd keeps of a cluster, all of it, as one read shows it.

    /ei/CLUSTER/members/ADDRESS     {"name": "sn1.isp-a", "is_leaving": false}
    /ei/CLUSTER/live/ADDRESS        {"lease": 7587…}         ends with the member's lease
    /ei/CLUSTER/services/NUMBER     who owns its state, see `ownership.py`

Addresses are in hex.
"""

from collections.abc import Iterable, Mapping

import msgspec

from ei.cluster.ownership import Ownership, decode_ownership
from ei.errors import ConfigError
from ei.sdk.packets import Address


class Member(msgspec.Struct, frozen=True):
    """One member.

    Attributes:
        is_leaving: It owns nothing new, and what it owns passes to others.
        revision: Of etcd, at which this was written.
    """

    name: str
    is_leaving: bool = False
    revision: int = 0


class View(msgspec.Struct, frozen=True):
    """All that etcd keeps of a cluster.

    Attributes:
        members: By address, those that leave included.
        leases: Of members that live, by address.
        services: Who owns what, by number of the service.
    """

    members: Mapping[Address, Member]
    leases: Mapping[Address, int]
    services: Mapping[int, Ownership]

    @property
    def staying(self) -> frozenset[Address]:
        """The members that do not leave."""
        return frozenset(each for each, member in self.members.items() if not member.is_leaving)


NOTHING_SEEN = View({}, {}, {})


class _Live(msgspec.Struct, frozen=True):
    lease: int


def prefix_of(cluster: str) -> str:
    """Return what all keys of a cluster begin with."""
    return f"/ei/{cluster}/"


def member_key(cluster: str, address: Address) -> str:
    """Return the key of a member."""
    return f"{prefix_of(cluster)}members/{address.hex()}"


def live_key(cluster: str, address: Address) -> str:
    """Return the key that says that a member lives."""
    return f"{prefix_of(cluster)}live/{address.hex()}"


def service_key(cluster: str, service: int) -> str:
    """Return the key of a service."""
    return f"{prefix_of(cluster)}services/{service}"


def encode_member(name: str, *, is_leaving: bool) -> bytes:
    """Return the value of a member."""
    return msgspec.json.encode({"name": name, "is_leaving": is_leaving})


def encode_live(lease: int) -> bytes:
    """Return the value of a member that lives."""
    return msgspec.json.encode(_Live(lease))


def read_view(cluster: str, items: Iterable[tuple[str, bytes, int]]) -> View:
    """Return what keys, values and revisions say.

    Raises:
        ConfigError: one says nothing of ours; someone else writes there.
    """
    members: dict[Address, Member] = {}
    leases: dict[Address, int] = {}
    services: dict[int, Ownership] = {}
    for key, value, revision in items:
        kind, _, name = key.removeprefix(prefix_of(cluster)).partition("/")
        try:
            match kind:
                case "members":
                    member = msgspec.json.decode(value, type=Member)
                    members[Address(bytes.fromhex(name))] = Member(
                        member.name, member.is_leaving, revision
                    )
                case "live":
                    live = msgspec.json.decode(value, type=_Live)
                    leases[Address(bytes.fromhex(name))] = live.lease
                case "services":
                    services[int(name)] = decode_ownership(value, revision=revision)
                case _:
                    pass  # of a newer version
        except (msgspec.MsgspecError, ValueError) as error:
            raise ConfigError(f"etcd keeps {value[:80]!r} as {key}: {error}") from error
    return View(members, leases, services)
