"""The parent of all workers: a small process, forked before any native thread starts.

    daemon ──────── nursery ─┬─ worker of delivery
      │ orders, reports      ├─ worker of multicast
      │                      └─ ...
      └── the workers' sockets go down with the orders (SCM_RIGHTS), and what each is told as a
          file in memory: read here, all that are forked later would have it, seed and configuration

A fork of it takes 5 ms and 2 MB, since all that a worker imports is loaded. It dies with the
daemon and its workers die with it, whatever kills them: nothing is left over.
"""

import errno
import gc
import os
import select
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Never, Self

import msgspec

from ei.errors import EiError, LocalError
from ei.runtime.children import Child, Report, WorkerExited, WorkerStarted
from ei.runtime.loader import read_service
from ei.runtime.mortality import die_with_parent
from ei.runtime.voices import Jailed, LastWords, say
from ei.runtime.worker import WorkerOrder, run_worker

MAX_MESSAGE_BYTES = 64 * 1024
MAX_FILES = 19
"""The order, and a socket for each datapath thread, one for the streams, and one for a replica."""


class StartWorker(msgspec.Struct, frozen=True, tag="start"):
    """Fork a worker; a file with its order comes along, and its sockets."""

    service: int
    name: str


class KillWorker(msgspec.Struct, frozen=True, tag="kill"):
    """Kill the workers of a service."""

    service: int


_WORKER_ORDER: msgspec.msgpack.Decoder[WorkerOrder] = msgspec.msgpack.Decoder(WorkerOrder)
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
    def start(cls, preload: Sequence[Path] = ()) -> Self:
        """Fork the nursery.

        Args:
            preload: Folders of services of our own, which it loads before it forks any worker.

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
            _run_child(lambda: _nurse(theirs, preload), parent, keep=[theirs.fileno()])
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
            OSError: No descriptor is left.
        """
        told = os.memfd_create("order")
        try:
            _ = os.write(told, msgspec.msgpack.encode(order))
            start = StartWorker(service, Path(order.folder).name)
            self._send(start, [told, *(end.fileno() for end in sockets)])
        finally:
            os.close(told)

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


def _nurse(control: socket.socket, preload: Sequence[Path]) -> None:
    """Fork, kill and reap workers as ordered, until the daemon is gone."""
    for folder in preload:
        with suppress(EiError):  # its worker says so
            _ = read_service(folder)
    # What is loaded by now stays: to look for garbage in it would copy it for every worker.
    gc.freeze()
    children: dict[int, Child] = {}
    poll = select.poll()
    poll.register(control, select.POLLIN)
    is_open = True
    while is_open:
        for descriptor, _ in poll.poll():
            if descriptor == control.fileno():
                is_open = _obey(control, poll, children)
            elif (child := children.get(descriptor)) is not None:
                is_open = _attend(control, poll, children, child, descriptor) and is_open
    for child in _workers(children):
        os.kill(child.pid, signal.SIGKILL)
        _ = child.end(time.monotonic())


def _attend(
    control: socket.socket,
    poll: select.poll,
    children: dict[int, Child],
    child: Child,
    descriptor: int,
) -> bool:
    """Take what one worker says, or its end; return whether the daemon is still there."""
    if descriptor == child.process:
        for each in (child.process, child.words, child.errors):
            if children.pop(each, None) is not None:
                poll.unregister(each)
        return _report(control, child.end(time.monotonic()))
    if descriptor == child.words:
        report = child.listen()
        if child.is_jailed:  # what it says from now on is read at its end
            del children[descriptor]
            poll.unregister(descriptor)
        return report is None or _report(control, report)
    if not child.relay(time.monotonic()):
        del children[descriptor]
        poll.unregister(descriptor)
    return True


def _workers(children: dict[int, Child]) -> list[Child]:
    return [child for descriptor, child in children.items() if descriptor == child.process]


def _obey(control: socket.socket, poll: select.poll, children: dict[int, Child]) -> bool:
    """Carry out one order; return whether the daemon is still there."""
    try:
        message, descriptors, flags, _ = socket.recv_fds(control, MAX_MESSAGE_BYTES, MAX_FILES)
    except ConnectionError:
        return False
    if not message:
        return False
    match _ORDERS.decode(message):
        case StartWorker() as start:
            is_whole = not flags & socket.MSG_CTRUNC
            return _start(control, poll, children, start, descriptors, is_whole=is_whole)
        case KillWorker(service=service):
            for child in _workers(children):
                if child.service == service:
                    os.kill(child.pid, signal.SIGKILL)
    return True


def _start(  # noqa: PLR0913 an order, and those who carry it out
    control: socket.socket,
    poll: select.poll,
    children: dict[int, Child],
    start: StartWorker,
    descriptors: list[int],
    *,
    is_whole: bool,
) -> bool:
    """Fork a worker; return whether the daemon is still there."""
    try:
        child = _fork_worker(start, descriptors, is_whole=is_whole)
    except OSError as error:
        return _report(
            control, WorkerExited(start.service, 0, f"cannot be forked: {error.strerror}")
        )
    for descriptor in (child.process, child.words, child.errors):
        children[descriptor] = child
        poll.register(descriptor, select.POLLIN)
    return _report(control, WorkerStarted(start.service, child.pid))


def _report(control: socket.socket, report: Report) -> bool:
    try:
        _ = control.send(msgspec.msgpack.encode(report))
    except ConnectionError:
        return False
    return True


def _fork_worker(start: StartWorker, descriptors: list[int], *, is_whole: bool) -> Child:
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
        words, word_writer = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        _ = made.callback(os.close, word_writer)
        _ = undone.callback(os.close, words)
        errors, error_writer = os.pipe2(os.O_CLOEXEC)
        _ = made.callback(os.close, error_writer)
        _ = undone.callback(os.close, errors)
        for reader in (words, errors):
            os.set_blocking(reader, False)
        parent = os.getpid()
        pid = os.fork()
        if not pid:
            _ = os.dup2(error_writer, 1)
            _ = os.dup2(error_writer, 2)
            keep = [*descriptors, word_writer]
            _run_child(lambda: _work(descriptors, word_writer), parent, keep=keep)
        _ = undone.callback(_kill, pid)
        child = Child(start.service, pid, words, errors, start.name)
        _ = undone.pop_all()
        return child


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    _ = os.waitpid(pid, 0)


# -- a child process -----------------------------------------------------------------------------


def _work(descriptors: Sequence[int], writer: int) -> None:
    """Be a worker; say why, when it cannot go on."""
    told, *ends = descriptors
    order = _WORKER_ORDER.decode(os.pread(told, os.fstat(told).st_size, 0))
    os.close(told)
    try:
        run_worker(
            order,
            [socket.socket(fileno=descriptor) for descriptor in ends],
            lambda jail: say(writer, Jailed(jail)),
        )
    except EiError as error:
        line = f"{error} {error.remedy}".strip()
        say(writer, LastWords(line))
        _ = os.write(2, f"{line}\n".encode())
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
