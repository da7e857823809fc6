"""Where the scenario happens: its nodes, their workers, and how modules are told what to do."""

from collections.abc import Collection

from ei.host.client import Host
from ei.lab.catalogue import SCENARIOS
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.node.service_worker import WorkerStatus
from ei.node.status import ServiceStatus
from ei.sdk import load_manifest

NODE = "sn1.isp-a"
ECHO = 17
ALICE, BOB, MALLORY = "alice", "bob", "mallory"
HOSTILE = ("looping", "bloating", "storming", "crashing", "snooping")
STRANGERS = ("honest", *HOSTILE)

MANIFESTS = {name: load_manifest(SCENARIOS / "hostile" / "services" / name) for name in STRANGERS}
CALM = b""
"""What a hostile module drops at once."""

START_LIMIT_S = 10.0


def tell(host: Host, service: str, way: bytes = CALM, *, count: int = 1) -> None:
    """Send a module packets that say what it is to do."""
    with host.call(MANIFESTS[service].id, metadata=way) as channel:
        _ = channel.send(*[b"now"] * count)


async def worker_of(lab: ProcessLab, service: str, node: str = NODE) -> WorkerStatus:
    """Return what a node says of a service's worker."""
    status = await lab.running_status(node)
    return next(each for each in status.workers if each.service == service)


async def counts_of(lab: ProcessLab, service: str, node: str = NODE) -> ServiceStatus:
    """Return what a node has counted of a service."""
    status = await lab.node_status(node)
    return next(each for each in status.services if each.name == service)


async def until_running(
    lab: ProcessLab, services: Collection[str], node: str = NODE, *, limit_s: float = START_LIMIT_S
) -> float | None:
    """Wait until the workers of some services run, each in its jail."""

    async def run() -> bool:
        status = await lab.running_status(node)
        states = {each.service: each for each in status.workers}
        return all(
            states[name].state == "running" and states[name].jail is not None for name in services
        )

    return await until(lab, run, limit_s=limit_s)
