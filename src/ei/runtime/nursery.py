"""The parent of all workers: a small process, forked before any native thread starts.

    daemon ──────── nursery ─┬─ worker of delivery
      │ orders, reports      ├─ worker of multicast
      │                      └─ ...
      └── the workers' sockets go down with the orders (SCM_RIGHTS)

A fork of it takes 5 ms and 2 MB, since all that a worker imports is loaded. It dies with the
daemon and its workers die with it, whatever kills them: nothing is left over.
"""

import errno
import gc
import os
import select
import signal
import socket
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Never, Self

import msgspec

from ei.errors import EiError, LocalError
from ei.runtime.mortality import die_with_parent
from ei.runtime.worker import WorkerOrder, run_worker

MAX_MESSAGE_BYTES = 64 * 1024
MAX_SOCKETS = 18
"""One for each datapath thread, one for the streams, and one for a replica."""
MAX_CAUSE_BYTES = 4_000


class StartWorker(msgspec.Struct, frozen=True, tag="start"):
    """Fork a worker; its sockets come along."""

    service: int
    order: WorkerOrder


class KillWorker(msgspec.Struct, frozen=True, tag="kill"):
    """Kill the workers of a service."""

    service: int


class WorkerStarted(msgspec.Struct, frozen=True, tag="started"):
    """A worker was forked; it may still fail to load its service."""

    service: int
    pid: int


class WorkerExited(msgspec.Struct, frozen=True, tag="exited"):
    """A worker is gone, or could not be forked.

    Attributes:
        service: Number.
        pid: Of the process that was; 0 when there was none.
        cause: Its last words, or how it ended: `exit 1`, `SIGKILL`.
    """

    service: int
    pid: int
    cause: str


Report = WorkerStarted | WorkerExited

_ORDERS: msgspec.msgpack.Decoder[StartWorker | KillWorker] = msgspec.msgpack.Decoder(
    StartWorker | KillWorker
)
_REPORTS: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


class Nursery:
    """The daemon's hold on the nursery process.

    Use:
        nursery = Nursery.start()                  before any native thread
        nursery.start_worker(16, order, sockets)
        loop.add_reader(nursery.fileno(), ...)     then nursery.take_reports()
        nursery.close()
    """

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control

    @classmethod
    def start(cls) -> Self:
        """Fork the nursery.

        Raises:
            LocalError: This process has several threads: a fork would copy only one of them.
            OSError: No process or descriptor is left.
        """
        threads = len(list(Path("/proc/self/task").iterdir()))
        if threads > 1:
            raise LocalError(f"the nursery is forked first: {threads} threads seen, 1 allowed")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            _run_child(lambda: _nurse(theirs), parent, keep=[theirs.fileno()])
        theirs.close()
        ours.settimeout(0)
        return cls(pid, ours)

    def __repr__(self) -> str:
        return f"<Nursery pid {self.pid}>"

    def fileno(self) -> int:
        """Return a descriptor that is readable while reports wait."""
        return self._control.fileno()

    def start_worker(
        self, service: int, order: WorkerOrder, sockets: Sequence[socket.socket]
    ) -> None:
        """Ask for a worker; `WorkerStarted` or `WorkerExited` says what came of it.

        Args:
            service: Number.
            order: What it is to run.
            sockets: Its ends, one for each datapath thread; the caller closes its copies.

        Raises:
            LocalError: The nursery is gone, or is not to be reached now.
        """
        self._send(StartWorker(service, order), [end.fileno() for end in sockets])

    def kill_worker(self, service: int) -> None:
        """Kill the workers of a service; no effect when there are none.

        Raises:
            LocalError: The nursery is gone.
        """
        self._send(KillWorker(service), [])

    def take_reports(self) -> list[Report]:
        """Return what was reported since the last call.

        Raises:
            LocalError: The nursery is gone, and with it all workers.
        """
        reports: list[Report] = []
        while True:
            try:
                message = self._control.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return reports
            except ConnectionError:
                message = b""
            if not message:
                raise LocalError("the nursery process ended, and with it all workers")
            reports.append(_REPORTS.decode(message))

    def close(self) -> None:
        """End the nursery and all workers; return when they are gone. Idempotent."""
        if self._control.fileno() >= 0:
            self._control.close()
            _ = os.waitpid(self.pid, 0)

    def _send(self, order: StartWorker | KillWorker, descriptors: list[int]) -> None:
        try:
            _ = socket.send_fds(self._control, [msgspec.msgpack.encode(order)], descriptors)
        except OSError as error:
            raise LocalError(f"the nursery process takes no orders: {error.strerror}") from error


# -- the nursery process -------------------------------------------------------------------------


class _Child:
    """A worker as the nursery knows it.

    Args:
        last_words: Reading end of a pipe, which does not block.

    Raises:
        OSError: No descriptor is left.
    """

    def __init__(self, service: int, pid: int, last_words: int) -> None:
        self.service = service
        self.pid = pid
        self.last_words = last_words
        self.process = os.pidfd_open(pid)

    def end(self) -> WorkerExited:
        """Reap it, after its process descriptor became readable."""
        _, status = os.waitpid(self.pid, 0)
        cause = b""
        with suppress(BlockingIOError):  # it said nothing, and a process that it forked lives on
            cause = os.read(self.last_words, MAX_CAUSE_BYTES)
        os.close(self.process)
        os.close(self.last_words)
        return WorkerExited(
            self.service, self.pid, cause.decode(errors="replace") or _how_it_ended(status)
        )


def _how_it_ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exit {code}"
    named = {each.value: each.name for each in signal.Signals}
    return named.get(-code, f"signal {-code}")  # those of real time have no names


def _nurse(control: socket.socket) -> None:
    """Fork, kill and reap workers as ordered, until the daemon is gone."""
    # What is loaded by now stays: to look for garbage in it would copy it for every worker.
    gc.freeze()
    children: dict[int, _Child] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    is_open = True
    while is_open:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                is_open = _report(control, children.pop(descriptor).end())
            else:
                is_open = _obey(control, poll, children)
    for child in children.values():
        os.kill(child.pid, signal.SIGKILL)
        _ = child.end()


def _obey(control: socket.socket, poll: select.poll, children: dict[int, _Child]) -> bool:
    """Carry out one order; return whether the daemon is still there."""
    try:
        message, descriptors, flags, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, MAX_SOCKETS)
    except ConnectionError:
        return False
    if not message:
        return False
    match _ORDERS.decode(message):
        case StartWorker(service=service, order=order):
            try:
                child = _fork_worker(
                    service, order, descriptors, is_whole=not flags & socket.MSG_CTRUNC
                )
            except OSError as error:
                return _report(
                    control, WorkerExited(service, 0, f"cannot be forked: {error.strerror}")
                )
            children[child.process] = child
            poll.register(child.process, select.POLLIN)
            return _report(control, WorkerStarted(service, child.pid))
        case KillWorker(service=service):
            for child in children.values():
                if child.service == service:
                    os.kill(child.pid, signal.SIGKILL)
    return True


def _report(control: socket.socket, report: Report) -> bool:
    try:
        _ = control.send(msgspec.msgpack.encode(report))
    except ConnectionError:
        return False
    return True


def _fork_worker(
    service: int, order: WorkerOrder, descriptors: list[int], *, is_whole: bool
) -> _Child:
    """Fork a worker; what was made for it is closed here in any case.

    Args:
        is_whole: Whether all its descriptors came over.

    Raises:
        OSError: No process or descriptor is left.
    """
    with ExitStack() as made, ExitStack() as undone:
        for descriptor in descriptors:
            _ = made.callback(os.close, descriptor)
        if not is_whole:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        reader, writer = os.pipe()
        _ = made.callback(os.close, writer)
        _ = undone.callback(os.close, reader)
        os.set_blocking(reader, False)
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            keep = [*descriptors, writer]
            _run_child(lambda: _work(order, descriptors, writer), parent, keep=keep)
        _ = undone.callback(_kill, pid)
        child = _Child(service, pid, reader)
        _ = undone.pop_all()
        return child


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    _ = os.waitpid(pid, 0)


# -- a child process -----------------------------------------------------------------------------


def _work(order: WorkerOrder, descriptors: list[int], writer: int) -> None:
    """Be a worker; say why, when it cannot go on."""
    try:
        run_worker(order, [socket.socket(fileno=descriptor) for descriptor in descriptors])
    except EiError as error:
        name = Path(order.folder).name
        line = f"{error} {error.remedy}".strip()
        _ = os.write(writer, line.encode()[:MAX_CAUSE_BYTES])
        _ = os.write(2, f"worker {name}: {line}\n".encode())
        os._exit(error.exit_code)


def _run_child(work: Callable[[], None], parent: int, *, keep: Sequence[int]) -> Never:
    """Become a child that dies with its parent, has none of its descriptors, and never returns."""
    status = 1
    try:
        die_with_parent(parent)
        _ = signal.signal(signal.SIGINT, signal.SIG_IGN)
        _ = signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _ = signal.set_wakeup_fd(-1)
        _close_all_but(keep)
        work()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _close_all_but(keep: Sequence[int]) -> None:
    """Close all descriptors but the standard ones and `keep`; nothing is there to be read."""
    first = 3
    for descriptor in sorted(keep):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))
    nothing = os.open(os.devnull, os.O_RDONLY)
    _ = os.dup2(nothing, 0)
    os.close(nothing)
