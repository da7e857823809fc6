"""Runs one lab of real processes: its daemons, the relays between them, and `lab.sock`.

    python -m ei.lab.supervisor FOLDER READY_FD [OWNER_FD]

`up` starts it when all files are in place. It forks the stem while it has one thread, and tells
progress and the outcome of the start on READY_FD as JSON lines. When it dies, however it dies, the
stem sees the end of its socket and goes, and the kernel kills the daemons. A lab with an owner goes
down, and removes its files, at the end of file on OWNER_FD: when its owner died, however it died.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from ei.daemons.messages import Answer, Request, encode_line
from ei.daemons.server import AdminServer
from ei.daemons.supervisor import watch_supervisor
from ei.daemons.verbs import arguments_of
from ei.errors import ConfigError, DeadlineError, EiError
from ei.lab.census import end_processes
from ei.lab.ending import DOWN_LIMIT_S
from ei.lab.fleet import Fleet
from ei.lab.namespaces import Namespaces
from ei.lab.programs import preload, readiness
from ei.lab.relays import Relays
from ei.lab.run_folder import LabFile, RunFolder
from ei.lab.stem import run_stem
from ei.lab.topology import Impairment, suggestion

Report = Callable[[dict[str, object]], object]

VERBS = ("status", "impair", "kill", "freeze", "thaw", "start", "down")


class Impair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `impair`: give the link between `a` and `b` these properties.

    `None` gives it those of the topology again.
    """

    a: str
    b: str
    impairment: Impairment | None


class StartAgain(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `start`: a daemon, and the source tree that it runs from, see `Fleet.start`."""

    name: str
    tree: str | None = None


class Supervisor:
    """One lab.

    Args:
        folder: With every file in place.
        lab: Content of its `lab.json`.
        stem: Socket to the process that forks.
    """

    def __init__(self, folder: RunFolder, lab: LabFile, stem: socket.socket) -> None:
        self._lab = lab
        self._folder = folder
        self._fleet = Fleet(
            lab.run_id,
            lab.daemons,
            stem=stem,
            folder_of=folder.folder_of,
            readiness=readiness,
        )
        self._relays = Relays(lab)
        self._namespaces: Namespaces | None = None
        self._is_down = asyncio.Event()
        self._is_orphan = False
        self._server = AdminServer(folder.socket, self._answer)

    async def run(self, report: Report, *, owner: int | None = None) -> None:
        """Start everything, serve until told to go down, end everything.

        Args:
            report: Gets progress and the outcome of the start.
            owner: Descriptor at whose end of file the lab goes down.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._is_down.set)
        if owner is not None:
            watch_supervisor(owner, self._lose_owner)
        try:
            async with asyncio.TaskGroup() as group:
                waits = [
                    group.create_task(event.wait())
                    for event in (self._is_down, self._fleet.is_lost)
                ]
                # Beside them, so that a lab can also go down while it starts.
                starting = group.create_task(self._start(report))
                _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                for task in (starting, *waits):
                    _ = task.cancel()
        finally:
            await self._fleet.end()
            await self._server.close()
            self._relays.stop()
            if self._namespaces is not None:
                self._namespaces.close()
            if self._is_orphan:
                # Nobody does it for us; and one that still starts would write on.
                _ = end_processes(self._lab.run_id, timeout_s=DOWN_LIMIT_S)
                shutil.rmtree(self._folder.path, ignore_errors=True)

    async def _start(self, report: Report) -> None:
        try:
            self._fleet.open()
            if self._lab.addresses:
                self._namespaces = Namespaces(self._lab.run_id, self._lab.addresses)
                self._fleet.place(self._namespaces.paths)
            self._relays.start(self._namespaces)
            await self._server.open()
            await self._fleet.start(self._lab.daemons, lambda name: report({"running": name}))
            _ = report({"ready": True})
        except (EiError, OSError, ValueError) as error:
            _ = report({"error": str(error), "remedy": getattr(error, "remedy", "")})
            self._is_down.set()

    def _lose_owner(self) -> None:
        self._is_orphan = True
        self._is_down.set()

    # -- what can be asked ----------------------------------------------------------------------

    async def _answer(self, request: Request) -> AsyncIterator[Answer]:
        name = request.arguments.get("name")
        match request.verb:
            case "status":
                pass
            case "impair":
                self._impair(request.arguments)
            case "kill":
                await self._fleet.kill(name)
            case "freeze":
                self._fleet.freeze(name)
            case "thaw":
                self._fleet.thaw(name)
            case "start":
                await self._start_again(arguments_of(request, StartAgain))
            case "down":
                self._is_down.set()
            case other:
                raise ConfigError(f"a lab knows no {other!r}{suggestion(other, VERBS)}")
        yield self._status()

    async def _start_again(self, wanted: StartAgain) -> None:
        name = wanted.name
        try:
            await self._fleet.start([name], lambda name: name, tree=wanted.tree)
        except DeadlineError as error:
            remedy = f"See why: ei lab log {name}; wait for it again: ei lab start {name}"
            raise DeadlineError(str(error), remedy=remedy) from error

    def _impair(self, arguments: dict[str, object]) -> None:
        try:
            wanted = msgspec.convert(arguments, Impair)
        except msgspec.ValidationError as error:
            raise ConfigError(f"impair: {error}") from error
        self._relays.change(wanted.a, wanted.b, wanted.impairment)

    def _status(self) -> dict[str, object]:
        namespaces = {} if self._namespaces is None else self._namespaces.paths
        return {
            "schema": "ei.lab-status/1",
            "name": self._lab.name,
            "backend": self._lab.backend,
            "topology": self._lab.topology,
            "daemons": [msgspec.to_builtins(state) for state in self._fleet.states],
            "links": self._relays.status(),
            "namespaces": namespaces,
        }


def main(arguments: list[str]) -> None:
    """Run the supervisor of the lab in the folder that `arguments` name, in a process of its own.

    Whoever started this one gets it back at once: the supervisor is nobody's child.
    """
    if os.fork() != 0:
        return
    folder = RunFolder(Path(arguments[0]))
    ready = os.fdopen(int(arguments[1]), "wb", buffering=0)
    owner = int(arguments[2]) if len(arguments) > 2 else None  # noqa: PLR2004 the third is optional
    programs = preload()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        ours.close()
        ready.close()
        run_stem(theirs, programs)
    theirs.close()

    def report(message: dict[str, object]) -> None:
        if not ready.closed:
            try:
                _ = ready.write(encode_line(message))
            except BrokenPipeError:
                # Nobody waits for the outcome any more; `ei lab status` tells it as well.
                ready.close()
            if message.keys() & {"ready", "error"}:
                ready.close()

    asyncio.run(_run(folder, ours, report, owner))


async def _run(folder: RunFolder, stem: socket.socket, report: Report, owner: int | None) -> None:
    await Supervisor(folder, folder.read(), stem).run(report, owner=owner)


if __name__ == "__main__":
    main(sys.argv[1:])
