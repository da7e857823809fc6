"""The sockets between a datapath and one worker: both ends of each, before either side has them."""

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from ei.node.service_worker import Replicas, WorkerSockets
from ei.runtime.worker import WorkerOrder, socket_pair
from ei.sdk.manifest import Manifest

PAUSE_STEP_S = 0.001


@dataclass(frozen=True, slots=True)
class WorkerEnds:
    """Ends of the same sockets.

    Attributes:
        ours: The datapath's.
        theirs: The worker's; its end of `link` is the last one.
        link: From the node's side to the worker's replica; `None` for a worker without one.
    """

    ours: tuple[socket.socket, ...]
    theirs: tuple[socket.socket, ...]
    link: socket.socket | None = None

    def attach(self, service: int, engine: WorkerSockets, replicas: Replicas | None) -> None:
        """Give the node its ends, in the place of those before.

        Raises:
            OSError: the system refused.
            RuntimeError: the engine has stopped.
        """
        # What the last worker left unanswered is dropped as its sockets are hung up.
        engine.attach_worker(service, [end.detach() for end in self.ours])
        if self.link is not None and replicas is not None:
            replicas.attach(service, socket.socket(fileno=self.link.detach()))


def open_ends(
    manifest: Manifest, order: WorkerOrder, unused: ExitStack, *, threads: int, has_replicas: bool
) -> WorkerEnds:
    """Open the sockets of a worker.

    Args:
        threads: Of the datapath, each with one; the streams have one more if it wants streams.
        has_replicas: The node keeps state that is replicated.
        unused: Closes what nobody has taken.

    Raises:
        OSError: no descriptor is left.
    """
    count = threads + ("streams" in manifest.capabilities)
    pairs = [tuple(unused.enter_context(end) for end in socket_pair()) for _ in range(count)]
    ours, theirs = tuple(ours for ours, _ in pairs), tuple(theirs for _, theirs in pairs)
    if not (order.copies and has_replicas):
        return WorkerEnds(ours, theirs)
    link, end = (unused.enter_context(each) for each in socket.socketpair())
    return WorkerEnds(ours, (*theirs, end), link)


async def pause(engine: WorkerSockets, service: int, *, limit_s: float) -> None:
    """Give a worker no more batches; return once it has answered those that it has, or after that.

    It stays so until other sockets are attached in the place of its own.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + limit_s
    # Threads of the datapath tell nobody when the last answer has come.
    while engine.pause_worker(service) and loop.time() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(PAUSE_STEP_S)
