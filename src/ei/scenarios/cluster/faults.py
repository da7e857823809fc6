"""What is done to a cluster, and how it is seen: for labs of real processes with a real etcd."""

import asyncio
import json
import re
from dataclasses import dataclass

from ei.cluster.entries import ORIGIN, make_entry
from ei.errors import EiError, NotFoundError, UnreachableError
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.node.cluster_status import ClusterStatus, ReplicaStatus
from ei.node.etcd import Etcd

WHOLE_S = 20.0
LOG = "state/register.replica/log"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of a lab's one domain."""

    lab: ProcessLab

    @property
    def members(self) -> list[str]:
        """Names of its members."""
        return list(self.lab.topology.nodes)

    async def seen_by(self, name: str) -> ClusterStatus | None:
        """Return what a member says, `None` when it says nothing."""
        try:
            return (await self.lab.running_status(name)).cluster
        except EiError:
            return None

    async def replica(self) -> ReplicaStatus:
        """Return what is known of the state by who serves it, else by anybody.

        Raises:
            NotFoundError: no member answers.
        """
        found: ReplicaStatus | None = None
        for name in self.members:
            status = await self.seen_by(name)
            if status is not None:
                (found,) = status.replicas
                if found.standing is not None and found.standing.is_serving:
                    return found
        if found is None:
            raise NotFoundError("no member of the cluster answers")
        return found

    async def owner(self) -> str:
        """Return who owns the state."""
        return (await self.replica()).owner

    async def until_whole(self, count: int = 3) -> float | None:
        """Wait until so many are in sync and one serves; see `until`."""

        async def is_whole() -> bool:
            replica = await self.replica()
            standing = replica.standing
            is_served = standing is not None and standing.is_serving
            return is_served and len(replica.in_sync) == count

        return await until(self.lab, is_whole, limit_s=WHOLE_S)

    # -- faults -----------------------------------------------------------------------------------

    async def cut_off(self, name: str) -> None:
        """Let nothing pass between a member and the others."""
        _ = await asyncio.gather(*(self.lab.cut(name, other) for other in self._others(name)))

    async def heal(self, name: str) -> None:
        """Let everything pass again."""
        _ = await asyncio.gather(*(self.lab.heal(name, other) for other in self._others(name)))

    def tear(self, name: str) -> None:
        """Leave a write half done at the end of a dead member's log."""
        entry = make_entry(ORIGIN, 1, bytes(200)).encoded
        with (self.lab.folder(name) / LOG).open("ab") as log:
            _ = log.write(entry[: len(entry) // 2])

    def spoil(self, name: str) -> None:
        """Flip a bit in the middle of a dead member's log."""
        path = self.lab.folder(name) / LOG
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        _ = path.write_bytes(content)

    async def etcd_leader(self) -> str:
        """Return the name of etcd's leader.

        Raises:
            NotFoundError: it has none.
        """
        for name in self.lab.topology.etcd:
            if await asyncio.to_thread(_is_leader, self.lab.endpoint(name)):
                return name
        raise NotFoundError("etcd has no leader")

    # -- what is left behind ----------------------------------------------------------------------

    def owners(self) -> dict[int, set[str]]:
        """Return who has owned the state in each epoch, as the members' logs tell."""
        found: dict[int, set[str]] = {}
        for name in self.members:
            for line in (self.lab.folder(name) / "log").read_text(errors="replace").splitlines():
                if "ownership changed" in line:
                    epoch, owner = _change_of(line)
                    found.setdefault(epoch, set()).add(owner)
        return found

    def _others(self, name: str) -> list[str]:
        return [other for other in self.members if other != name]


def _change_of(line: str) -> tuple[int, str]:
    if line.startswith("{"):
        told = json.loads(line)
        return int(told["epoch"]), str(told["owner"])
    epoch, owner = re.search(r"epoch=(\d+)", line), re.search(r"owner=(\S+)", line)
    return (int(epoch[1]), owner[1].strip('"')) if epoch and owner else (0, "")


def _is_leader(endpoint: str) -> bool:
    etcd = Etcd([endpoint])
    try:
        return etcd.is_leader()
    except UnreachableError:
        return False
    finally:
        etcd.close()
