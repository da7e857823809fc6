"""What the worker of a service is told, in earnest and on trial."""

from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from ei.runtime.jail import LAYERS, OF_OURS, OF_TRUSTED
from ei.runtime.loader import FoundService, is_ours
from ei.runtime.nursery import Nursery
from ei.runtime.randomness import SEED_BYTES
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk.manifest import Manifest
from ei.sdk.packets import Address
from ei.sdk.tiers import TIERS

ENDED_WELL = "exit 0"
PATIENCE_S = 10.0
"""Beside the CPU time that a start may take by the service's tier: who computes is cut by then."""


def order_of(  # noqa: PLR0913 all that a worker is told
    service: FoundService,
    *,
    node: Address,
    store: Path,
    config: Mapping[str, dict[str, object]],
    is_jailed: bool,
    trusted: Collection[str],
    copies: int = 0,
) -> WorkerOrder:
    """Return what a worker is told, but for its seed.

    Args:
        service: What it runs.
        node: Address of the node.
        store: Folder of the stable stores.
        config: Overrides by service name.
        is_jailed: Whether it is kept in.
        trusted: Services of others that run as well where a layer of the jail is missing.
        copies: Of its state, in a cluster.
    """
    name = service.manifest.name
    of_others = OF_TRUSTED if name in trusted else LAYERS
    layers = OF_OURS if is_ours(service.folder) else of_others
    return WorkerOrder(
        folder=str(service.folder),
        node=node,
        seed=b"",
        store=str(store / f"{name}.{'replica' if copies else 'sqlite'}"),
        config=config.get(name, {}),
        copies=copies,
        layers=layers if is_jailed else (),
        is_trusted=name in trusted or is_ours(service.folder),
    )


def limit_s_of(manifest: Manifest, patience_s: float = PATIENCE_S) -> float:
    """Return how long a service may take to start, and end."""
    return TIERS[manifest.tier].start_ms / 1_000 + patience_s


def begin_trial(nursery: Nursery, label: int, manifest: Manifest, order: WorkerOrder) -> None:
    """Have a worker started whose datapath hangs up at once: it ends once it has started.

    Args:
        label: By which the nursery reports of it.

    Raises:
        LocalError: the nursery is gone.
        OSError: no descriptor is left.
    """
    order = msgspec.structs.replace(order, seed=bytes(SEED_BYTES))
    pairs = [socket_pair() for _ in range(1 + ("streams" in manifest.capabilities))]
    nursery.start_worker(label, order, [theirs for _, theirs in pairs])
    for ours, theirs in pairs:
        theirs.close()
        ours.close()
