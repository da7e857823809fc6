"""Makes a node a member of its cluster, if its configuration names one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ei._core import Engine
from ei.cluster.messages import SERVICE
from ei.daemons.log import Log
from ei.node.node import Node
from ei.node.prepare import PreparedNode
from ei.node.steering import Steering
from ei.sdk.packets import Address

if TYPE_CHECKING:
    from ei.node.membership import Membership


def join_cluster(
    prepared: PreparedNode, node: Node, *, engine: Engine, log: Log
) -> "Membership | None":
    """Return the membership that `[cluster]` asks for; it begins when it is run.

    Raises:
        ConfigError: a certificate of it cannot be read.
    """
    config = prepared.config.cluster
    if config is None:
        return None
    # A node on its own does not even load the client of etcd.
    from ei.node.etcd import etcd_of  # noqa: PLC0415
    from ei.node.membership import Membership  # noqa: PLC0415

    services = prepared.replicated
    steering = Steering(
        prepared.config,
        {loaded.manifest.name: loaded.manifest for loaded in prepared.services},
        me=node.address,
        services=frozenset(services),
        set_chain=engine.set_chain,
    )

    def follow(owners: Mapping[int, Address]) -> None:
        node.control.set_owners(owners)
        steering.follow(owners)

    membership = Membership(
        config,
        me=node.address,
        name=prepared.config.name,
        services=services,
        etcd=etcd_of(config, prepared.folder),
        send=lambda to, message: engine.send_control(to, SERVICE, message),
        on_owners=follow,
        log=log,
    )
    node.control.on_cluster = membership.take
    return membership
