"""What a service says on a node, signed by the node: `OwnStatement` in a service."""

from ei.records.keys import Keys
from ei.sdk import NodeStatement
from ei.sdk.records import stated


def state(keys: Keys, domain_number: int, service: int, body: bytes) -> NodeStatement:
    """Sign what a service says.

    Args:
        keys: Of the node.
        domain_number: Of the node.
        service: Its number, which the node knows and the service cannot choose.
        body: At most 960 bytes.
    """
    node = keys.address(domain_number)
    signature = keys.sign(stated(node, service, body))
    return NodeStatement(node, service, body, keys.identity_key, signature)
