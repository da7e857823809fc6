"""A lab of one node and one host for a module that is being written: what `ei dev` runs.

The node is as any other, and the module a stranger's: in its jail, not trusted, watched.
"""

import os
import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import msgspec

from ei.daemons.client import ask
from ei.errors import ConflictError, LocalError
from ei.lab.builder import TopologyBuilder
from ei.lab.ending import Ended
from ei.lab.processes import ask_lab, running_labs, start_lab, stop_lab
from ei.lab.run_folder import LabFile
from ei.lab.topology import Topology
from ei.node.admin import EventsAnswer
from ei.runtime.loader import is_ours
from ei.sdk import Manifest

NODE = "sn1.dev"
HOST = "alice.dev"
OF_RECORDS = ("id", "name", "state", "copies")
"""Fields of a manifest that others know too: when one changes, the lab begins anew."""


def lab_name_of(service: str) -> str:
    """Return the name of the lab in which a service is written."""
    return f"dev-{service.replace('_', '-')}"[:32].rstrip("-")


class Workshop:
    """The lab, once there is a module that can be read.

    Args:
        folder: Of the module, absolute.
        name: Of the lab.
        environ: Where files go.

    Raises:
        LocalError: the module comes with this program, whose nodes have it in memory already.
        ConflictError: a lab of that name runs.
    """

    def __init__(self, folder: Path, *, name: str, environ: Mapping[str, str] = os.environ) -> None:
        if is_ours(folder):
            raise LocalError(
                f"{folder.name} comes with this program, and is in memory before any save",
                remedy=f"Write a copy of it: cp -r {folder} /tmp/{folder.name}",
            )
        if name in running_labs(environ):
            raise ConflictError(
                f"the lab {name} runs: {folder.name} is being written already",
                remedy=f"End that with Ctrl-C, where it runs, or by: ei lab down --lab {name}",
            )
        self._folder = folder
        self._name = name
        self._environ = environ
        self._tie = ExitStack()
        self._lab: LabFile | None = None
        self._manifest: Manifest | None = None
        self._taken = 0

    @property
    def is_open(self) -> bool:
        """Whether the lab runs, as far as is known."""
        return self._lab is not None

    def load(
        self, manifest: Manifest, *, is_fresh: bool, on_progress: Callable[[str], object] = str
    ) -> bool:
        """Run the module as its files are now; return whether what it has stored is kept.

        Args:
            manifest: As it was read just now.
            is_fresh: Without what it has stored.
            on_progress: Gets the name of each daemon that became ready.

        Raises:
            EiError: the lab cannot be started, or its node does not answer.
        """
        before, self._manifest = self._manifest, manifest
        if self._lab is None or before is None or _differ(before, manifest, OF_RECORDS):
            _ = self.close()
            self._open(manifest, on_progress)
            return False
        if before != manifest:
            self._renew()
        if before == manifest or is_fresh:
            _ = self._ask("restart_worker", {"service": manifest.name, "is_fresh": is_fresh})
        return not is_fresh

    def take_events(self) -> EventsAnswer:
        """Return what the node has told of the worker since the last call.

        Raises:
            EiError: the node does not answer.
        """
        wanted = {"service": self._folder.name, "since": self._taken}
        answer = msgspec.convert(self._ask("events", wanted), EventsAnswer)
        if answer.events:
            self._taken = answer.events[-1].number
        return answer

    def close(self) -> Ended | None:
        """End the lab; return what was left, `None` where there was none. Idempotent."""
        if self._lab is None:
            return None
        self._lab = None
        with self._tie:
            return stop_lab(name=self._name, environ=self._environ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        _ = self.close()

    # -- parts ------------------------------------------------------------------------------------

    def _open(self, manifest: Manifest, on_progress: Callable[[str], object]) -> None:
        self._taken = 0
        # The lab goes down when the first of these is closed, at the latest by our own end.
        _, owner = [self._tie.enter_context(end) for end in socket.socketpair()]
        self._lab = start_lab(
            topology_of(self._folder, manifest.name),
            name=self._name,
            environ=self._environ,
            owner=owner,
            on_progress=on_progress,
        )

    def _renew(self) -> None:
        """Start node and host again, on what they have on disk."""
        self._taken = 0
        for verb in ("kill", "start"):
            for name in (NODE, HOST):
                _ = ask_lab(verb, {"name": name}, name=self._name, environ=self._environ)

    def _ask(self, verb: str, arguments: Mapping[str, object]) -> dict[str, object]:
        assert self._lab is not None  # noqa: S101 who asks has loaded something
        return ask(Path(self._lab.daemons[NODE].admin), verb, arguments)


def topology_of(folder: Path, service: str) -> Topology:
    """Return the lab of a module: one domain, one node, one host."""
    builder = TopologyBuilder("dev")
    builder.domain("dev")
    builder.node(NODE, services=("delivery", service))
    builder.host(HOST, nodes=[NODE])
    return replace(
        builder.build(), service_folders=(folder,), strangers=(service,), watched=(service,)
    )


def _differ(before: Manifest, after: Manifest, fields: tuple[str, ...]) -> bool:
    return any(getattr(before, field) != getattr(after, field) for field in fields)
