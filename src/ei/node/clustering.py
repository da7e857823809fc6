"""Makes a node a member of its cluster, if its configuration names one."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ei._core import Engine
from ei.cluster.messages import SERVICE
from ei.daemons.log import Log
from ei.errors import LocalError
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
        steering.follow(owners, between=lambda: node.control.set_owners(owners))

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


class Being:
    """A membership while it runs; none in no cluster."""

    def __init__(self, membership: "Membership | None", task: "asyncio.Task[None] | None") -> None:
        self._membership = membership
        self._task = task

    def end(self) -> None:
        """Be a member no more. Idempotent."""
        if self._task is not None:
            _ = self._task.cancel()
        if self._membership is not None:
            self._membership.close()


def begin_membership(
    membership: "Membership | None", on_failure: Callable[[LocalError], object]
) -> Being:
    """Be a member of the cluster, on the running loop.

    Args:
        on_failure: Told of a mistake in that: then the node is to end, and be started again.
    """
    if membership is None:
        return Being(None, None)

    def end(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            _ = on_failure(LocalError(f"the membership of the cluster has failed: {error!r}"))

    task = asyncio.get_running_loop().create_task(membership.run())
    task.add_done_callback(end)
    return Being(membership, task)
