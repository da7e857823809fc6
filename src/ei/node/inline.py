"""A worker as a thread of the daemon: for small nodes that trust their services.

The same loop over the same sockets as in a worker process, so the same semantics; but a handler
that never returns cannot be killed, and a crash of the interpreter takes the node with it.
"""

import socket
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from ei.errors import EiError
from ei.runtime.faults import FaultReporter
from ei.runtime.loader import load_service
from ei.runtime.worker import WorkerOrder, environment_of, serve, store_of


def start_inline(
    order: WorkerOrder, sockets: Sequence[socket.socket], on_end: Callable[[str], object]
) -> None:
    """Run a service on a thread until the datapath hangs up or it cannot go on.

    Args:
        sockets: One for each datapath thread, and of the streams; the thread closes them.
        on_end: Called on the thread, with why it ended.
    """
    thread = threading.Thread(
        target=_run, args=(order, sockets, on_end), name=Path(order.folder).name, daemon=True
    )
    thread.start()


def _run(
    order: WorkerOrder, sockets: Sequence[socket.socket], on_end: Callable[[str], object]
) -> None:
    cause = "hung up"
    try:
        _serve(order, sockets)
    except EiError as error:
        cause = f"{error} {error.remedy}".strip()
    except BaseException as error:  # the outermost edge of a worker, as a process of one has it
        cause = f"crashed: {error!r}"
        traceback.print_exc()
    finally:
        for end in sockets:
            end.close()
        _ = on_end(cause)


def _serve(order: WorkerOrder, sockets: Sequence[socket.socket]) -> None:
    loaded = load_service(Path(order.folder))
    with store_of(order, loaded.manifest) as stable:
        environment = environment_of(order, loaded, sockets, stable)
        serve(environment, sockets, FaultReporter(loaded.manifest.name, sys.stderr))
