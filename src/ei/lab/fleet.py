"""The daemons of a lab, as their supervisor sees them: started, ready, frozen, ended."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from ei.errors import ConflictError, DeadlineError, NotFoundError
from ei.lab.census import marked_processes, session_of, signal_process
from ei.lab.run_folder import Daemon
from ei.lab.stem import Exited, Start, Started
from ei.lab.topology import suggestion

START_LIMIT_S = 30.0
STOP_LIMIT_S = 1.5
POLL_S = 0.02
MAX_MESSAGE_BYTES = 65_536

State = Literal["starting", "running", "frozen", "ended"]
Readiness = Callable[[Daemon], str]
"""Asks a daemon, blocking: why it is not ready yet; empty when it is."""

_reports: msgspec.msgpack.Decoder[Started | Exited] = msgspec.msgpack.Decoder(Started | Exited)


class DaemonState(msgspec.Struct):
    """One daemon.

    Attributes:
        status: Its exit code, or minus the signal that ended it.
        namespace: Path of its network namespace; empty in a lab of processes.
        tree: Source tree whose code it runs; empty for that of the lab.
    """

    name: str
    kind: str
    state: State = "starting"
    pid: int = 0
    status: int | None = None
    starts: int = 0
    namespace: str = ""
    tree: str = ""


class Fleet:
    """Starts daemons through the stem, and ends them.

    Args:
        run_id: Mark of their processes.
        daemons: By name.
        stem: Socket to the process that forks.
        folder_of: Name to the folder of its files.
        readiness: How to ask whether one is ready.
    """

    def __init__(
        self,
        run_id: str,
        daemons: Mapping[str, Daemon],
        *,
        stem: socket.socket,
        folder_of: Callable[[str], Path],
        readiness: Readiness,
    ) -> None:
        self._run_id = run_id
        self._daemons = daemons
        self._stem = stem
        self._folder_of = folder_of
        self._readiness = readiness
        self._states = {
            name: DaemonState(name, each.kind, tree=each.tree) for name, each in daemons.items()
        }
        self._unready: set[str] = set()
        self._has_ended = asyncio.Event()
        self.is_lost = asyncio.Event()
        """Set when the stem died, and all daemons with it."""

    @property
    def states(self) -> Iterable[DaemonState]:
        """All daemons, in the order of the topology."""
        return self._states.values()

    def open(self) -> None:
        """Listen to the stem, on the running loop."""
        asyncio.get_running_loop().add_reader(self._stem.fileno(), self._hear_stem)

    def place(self, namespaces: Mapping[str, str]) -> None:
        """Have daemons in network namespaces, by name and path, from their next start."""
        for state in self._states.values():
            state.namespace = namespaces[state.name]

    def state(self, name: object) -> DaemonState:
        """Return one daemon.

        Raises:
            NotFoundError: there is none of that name.
        """
        if not isinstance(name, str) or name not in self._states:
            known = suggestion(str(name), self._states)
            raise NotFoundError(
                f"no node or host is called {name!r}{known}",
                remedy="See all that there are: ei lab status",
            )
        return self._states[name]

    async def start(
        self,
        names: Iterable[str],
        on_ready: Callable[[str], object],
        *,
        tree: str | None = None,
        limit_s: float = START_LIMIT_S,
    ) -> None:
        """Start daemons side by side; wait for each to be ready.

        One that was not ready in time runs on; to start it again is to wait for it again.

        Args:
            tree: Source tree whose code they run from now on; empty is that of the lab, and `None`
                the same as before.

        Raises:
            ConflictError: one runs already, or ended as it started; with the end of its log.
            DeadlineError: one was not ready in time.
        """
        wanted = list(names)
        for name in wanted:
            self._order(self.state(name), tree)
        self._unready.update(wanted)
        deadline_s = asyncio.get_running_loop().time() + limit_s
        try:
            for name in wanted:
                await self._wait_ready(self._states[name], deadline_s)
                _ = on_ready(name)
        finally:
            for state in map(self.state, wanted):
                if state.state == "starting" and state.pid:
                    state.state = "running"

    async def kill(self, name: object) -> None:
        """Kill a daemon as `kill -9` does; its workers follow by themselves.

        Raises:
            ConflictError: it does not run.
        """
        state = self._living(name)
        _ = signal_process(state.pid, self._run_id, signal.SIGKILL)
        await self._gone([state])

    def freeze(self, name: object) -> None:
        """Stop a daemon and its workers, as SIGSTOP does."""
        state = self._living(name)
        self._signal_session(state, signal.SIGSTOP)
        state.state = "frozen"

    def thaw(self, name: object) -> None:
        """Let a frozen daemon and its workers go on."""
        state = self._living(name)
        self._signal_session(state, signal.SIGCONT)
        state.state = "running"

    async def end(self) -> None:
        """End every daemon: gently, then after 1.5 s by force."""
        for state in self._states.values():
            if state.pid:
                _ = signal_process(state.pid, self._run_id, signal.SIGTERM)
                self._signal_session(state, signal.SIGCONT)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._gone(self._states.values())
        for state in self._states.values():
            if state.pid:
                self._signal_session(state, signal.SIGKILL)

    def _order(self, state: DaemonState, tree: str | None) -> None:
        if state.name in self._unready and state.pid and state.state != "frozen":
            return
        if state.pid or (state.starts and state.state == "starting"):
            raise ConflictError(f"{state.name} is {state.state}", remedy="See: ei lab status")
        state.state, state.status = "starting", None
        if tree is not None:
            state.tree = tree
        state.starts += 1
        folder = str(self._folder_of(state.name))
        order = Start(state.name, state.kind, folder, state.namespace, state.tree)
        _ = self._stem.send(msgspec.msgpack.encode(order))

    async def _wait_ready(self, state: DaemonState, deadline_s: float) -> None:
        why = "it was not started"
        while asyncio.get_running_loop().time() < deadline_s:
            if state.state == "ended":
                word = self._last_word(state)
                raise ConflictError(
                    f"{state.name} ended with {state.status} at its start: {word}",
                    remedy="Correct what it says.",
                )
            if state.pid:
                why = await asyncio.to_thread(self._readiness, self._daemons[state.name])
                if not why:
                    state.state = "running"
                    self._unready.discard(state.name)
                    return
            await asyncio.sleep(POLL_S)
        raise DeadlineError(f"{state.name} is not ready in time: {why}")

    async def _gone(self, states: Iterable[DaemonState]) -> None:
        while any(state.pid for state in states):
            self._has_ended.clear()
            _ = await self._has_ended.wait()

    def _last_word(self, state: DaemonState) -> str:
        try:
            lines = (self._folder_of(state.name) / "log").read_text(errors="replace").split("\n")
        except OSError as error:
            return f"no log: {error.strerror}"
        return next((line for line in reversed(lines) if line.strip()), "its log is empty")

    def _living(self, name: object) -> DaemonState:
        state = self.state(name)
        if not state.pid:
            raise ConflictError(f"{state.name} does not run", remedy=f"ei lab start {state.name}")
        return state

    def _signal_session(self, state: DaemonState, number: signal.Signals) -> None:
        for pid in marked_processes(self._run_id):
            if session_of(pid) == state.pid:
                _ = signal_process(pid, self._run_id, number)

    def _hear_stem(self) -> None:
        try:
            message = self._stem.recv(MAX_MESSAGE_BYTES)
        except ConnectionResetError:
            message = b""
        if not message:
            _ = asyncio.get_running_loop().remove_reader(self._stem.fileno())
            self.is_lost.set()
            return
        match _reports.decode(message):
            case Started(name, pid):
                self._states[name].pid = pid
            case Exited(name, pid, status):
                state = self._states[name]
                if state.pid == pid:
                    state.state, state.status, state.pid = "ended", status, 0
                    self._has_ended.set()
