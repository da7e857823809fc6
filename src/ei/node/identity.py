"""Whether the records know a node as what its files make it."""

from ei.errors import ConfigError
from ei.node.config import NodeConfig
from ei.records.record_set import RecordSet
from ei.sdk.packets import Address


def check_identity(
    config: NodeConfig, records: RecordSet, address: Address, pipe_key: bytes
) -> None:
    """Check that the node of this configuration is in the records, with its keys.

    Raises:
        ConfigError: it is not, or is another: what to do.
    """
    name = config.name
    record = records.nodes.get(address)
    if record is None or record.name != name:
        said = "no node" if record is None else f"node {record.name}"
        why = records.why_refused("node", name)
        raise ConfigError(
            f"the records know {said} with the key of {name}"
            f" and domain_number {config.domain_number}" + (why and f": {why}"),
            remedy=f"Renew it where the domain's key is: ei domain renew {name}"
            if "expired" in why
            else "Have the domain sign a node record for this key, and add it to the file.",
        )
    if record.pipe_key != pipe_key:
        raise ConfigError(
            f"the records know another pipe key of {name} than its key file",
            remedy="Have the domain sign the node again, with the keys it has now.",
        )
