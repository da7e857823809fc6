"""What the steps of a demo share: the daemons they talk to, and what they find."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from ei.daemons.client import ask
from ei.lab.accounts import NodeCounters
from ei.lab.narrator import Narrator
from ei.lab.promises import Promise, promise
from ei.lab.report import Load, Transfer
from ei.lab.run_folder import LabFile
from ei.lab.topology import Topology, ends
from ei.node.admin import RunningStatus
from ei.records.addresses import parse_address

AnswerT = TypeVar("AnswerT", bound=msgspec.Struct)
ASK_LIMIT_S = 20.0

SPEAKER = "alice.isp-a"
LISTENERS = (
    "amir.isp-a",
    "bob.isp-b",
    "bea.isp-b",
    "boris.isp-b",
    "carol.campus",
    "chen.campus",
)
SETTLE_S = 0.3
"""Until what was sent has surely arrived, or never will: 20 times the longest way."""


class _Done(msgspec.Struct, frozen=True):
    """An answer that says no more than that it was done."""


class _Statistics(msgspec.Struct, frozen=True):
    statistics: NodeCounters


class Demo:
    """What the steps share, and what they find.

    Attributes:
        promises: In the order in which they were measured.
        packets: By pipe, both directions; see `account`.
    """

    def __init__(
        self, topology: Topology, lab: LabFile, narrator: Narrator, *, began_s: float
    ) -> None:
        self.topology = topology
        self.narrator = narrator
        self.promises: list[Promise] = []
        self.steps: list[tuple[float, str]] = []
        self.packets: dict[tuple[str, str], int] = {}
        self.round_trips_ms: list[tuple[str, list[float]]] = []
        self.copies: list[tuple[str, float]] = []
        self.transfer: Transfer | None = None
        self.load: Load | None = None
        self.folder = Path(lab.daemons[SPEAKER].folder)
        self._lab = lab
        self._names = {
            parse_address(daemon.address).hex(): name for name, daemon in lab.daemons.items()
        }
        self._began_s = began_s

    def add(self, *promises: Promise) -> None:
        """Keep promises."""
        self.promises += promises

    def step(self, text: str) -> None:
        """Say that a step begins."""
        self.steps.append((asyncio.get_running_loop().time() - self._began_s, text))
        self.narrator.step(text)

    def done(self, text: str) -> None:
        """Say what came of it."""
        self.steps.append((asyncio.get_running_loop().time() - self._began_s, text))
        self.narrator.done(text)

    async def ask(  # noqa: PLR0913 a call has what a call needs
        self,
        name: str,
        verb: str,
        shape: type[AnswerT],
        arguments: Mapping[str, object] | None = None,
        *,
        deadline_s: float = ASK_LIMIT_S,
        on_progress: Callable[[Mapping[str, object]], object] | None = None,
    ) -> AnswerT:
        """Ask the daemon `name`; return its answer as `shape`."""
        admin = Path(self._lab.daemons[name].admin)
        answer = await asyncio.to_thread(
            ask, admin, verb, arguments, deadline_s=deadline_s, on_progress=on_progress
        )
        # Keys of JSON objects are text, also where they are numbers.
        return msgspec.convert(answer, shape, strict=False)

    async def do(self, name: str, verb: str, arguments: Mapping[str, object]) -> None:
        """Have the daemon `name` do something."""
        _ = await self.ask(name, verb, _Done, arguments)

    def group(self, name: str) -> bytes:
        """Return the address of a group."""
        return bytes.fromhex(self._lab.groups[name])

    async def node(self, name: str) -> RunningStatus:
        """Return the status of a node."""
        return await self.ask(name, "status", RunningStatus)

    async def statistics(self) -> dict[str, NodeCounters]:
        """Return the counters of all nodes."""
        return {
            name: (await self.ask(name, "statistics", _Statistics)).statistics
            for name in self.topology.nodes
        }

    def name_of(self, address: str) -> str:
        """Return the name behind an address in hex."""
        return self._names.get(address, address)

    async def account(self) -> None:
        """Read from all nodes how many packets crossed each pipe, and what became of them."""
        homeless = 0
        for name, counted in (await self.statistics()).items():
            homeless += counted.homeless
            for address, peer in counted.peers.items():
                self.packets[ends(name, self.name_of(address))] = peer.sent + peer.received
        total = sum(self.packets.values())
        self.add(promise("packets without a fate", homeless, "==", 0, unit="packets"))
        self.done(f"{total:,} packets crossed {len(self.packets)} pipes, each with one fate")
