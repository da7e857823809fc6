"""What a host finds in its records: its own nodes, keys, and which of those count no more."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ei.errors import ConfigError, NotFoundError
from ei.records.addresses import domain_number_of
from ei.records.kinds import Enrolment, NodeRecord
from ei.records.record_set import RecordSet
from ei.records.revocation import stale_domains
from ei.sdk.packets import Address

if TYPE_CHECKING:
    from ei.host.stack import Identity


def lost_keys(
    before: Mapping[Address, Enrolment | NodeRecord],
    after: Mapping[Address, Enrolment | NodeRecord],
) -> set[Address]:
    """Return the hosts or nodes whose pipe key counted, and counts no more."""
    return {
        address
        for address, record in before.items()
        if address not in after or after[address].pipe_key != record.pipe_key
    }


def is_stale(node: Address, records: RecordSet, *, unix_s: float, limit_s: float) -> bool:
    """Return whether the list of revoked keys of a node's domain has grown too old."""
    stale = stale_domains(records.revocations, unix_s=unix_s, limit_s=limit_s)
    return any(
        records.domains[domain].number == domain_number_of(node)
        for domain in stale
        if domain in records.domains
    )


def host_key(records: RecordSet, host: Address) -> bytes:
    """Return the key by which a host proves who it is.

    Raises:
        NotFoundError: the records do not know it.
    """
    enrolment = records.enrolments.get(host)
    if enrolment is None:
        raise NotFoundError(f"no record of the host {records.name_of(host)}")
    return enrolment.identity_key


def service_key(records: RecordSet, node: Address, service: int) -> bytes:
    """Return the key by which a node that offers a service proves who it is.

    Raises:
        NotFoundError: the records do not know it, or not that it offers the service.
    """
    record = records.nodes.get(node)
    if record is None:
        raise NotFoundError(f"no record of the node {records.name_of(node)}")
    if service not in record.services:
        offered = ", ".join(map(str, record.services)) or "none"
        raise NotFoundError(f"{record.name} does not offer service {service}; it offers {offered}")
    return record.identity_key


def find_nodes(identity: "Identity", records: RecordSet, names: Sequence[str]) -> list[Address]:
    """Return the nodes that a host attaches to, of those `names` or of its attachment record.

    Raises:
        ConfigError: as a `Stack` of the same arguments.
    """
    _ = find_enrolment(identity, records)
    if names:
        nodes = [records.names.get(name, identity.address) for name in names]
    else:
        attachment = records.attachments.get(identity.address)
        nodes = [] if attachment is None else list(attachment.nodes)
    for name, node in zip(names, nodes, strict=False):
        if node not in records.nodes:
            raise ConfigError(f"nodes: the records know no node {name!r}")
    if not nodes:
        why = records.why_refused("attachment", identity.address)
        raise ConfigError(
            f"{identity.name} has no nodes: none configured, and its attachment "
            + (f"was refused: {why}" if why else "is not in the records"),
            remedy='Name them in host.toml: nodes = ["sn1.isp-a"]',
        )
    return nodes


def find_enrolment(identity: "Identity", records: RecordSet) -> Enrolment:
    """Return the enrolment of a host.

    Raises:
        ConfigError: the records do not know it by its name and keys.
    """
    enrolment = records.enrolments.get(identity.address)
    if enrolment is None:
        why = records.why_refused("enrolment", identity.name)
        raise ConfigError(
            f"the records know no host with the key of {identity.name} and domain_number"
            f" {domain_number_of(identity.address)}" + (why and f": {why}"),
            remedy=f"Renew it where the domain's key is: ei domain renew {identity.name}"
            if "expired" in why
            else "Have the domain enrol this key, and add the enrolment to the records file.",
        )
    if identity.name not in enrolment.names:
        known = ", ".join(enrolment.names)
        raise ConfigError(f"name: {identity.name!r} seen; the records know its key as {known}")
    if enrolment.pipe_key != identity.keys.pipe_key:
        raise ConfigError(
            f"the records know another pipe key of {identity.name} than its key file",
            remedy="Have the domain enrol the host again, with the keys it has now.",
        )
    return enrolment
