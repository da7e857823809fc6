"""Which daemon a command speaks to: one of a lab by its name, or one by its admin socket."""

import argparse
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ei.cli.parser import Verb, suggestion
from ei.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from ei.lab.run_folder import LabFile

Kind = Literal["node", "host"]
DEFAULT_LAB = "default"
RUN_FOLDER = Path("/run/ei")
"""Where the daemons of the system have their admin sockets."""


@dataclass(frozen=True, slots=True)
class Target:
    """A daemon that can be asked.

    Attributes:
        name: Full name; the socket's path where only that is known.
        socket: Its admin socket.
    """

    name: str
    socket: Path

    def ask(
        self,
        verb: str,
        arguments: Mapping[str, object] | None = None,
        *,
        deadline_s: float = 5.0,
        on_progress: Callable[[Mapping[str, object]], object] | None = None,
    ) -> dict[str, object]:
        """Ask it; see `ei.daemons.client.ask`."""
        from ei.daemons.client import ask

        return ask(self.socket, verb, arguments, deadline_s=deadline_s, on_progress=on_progress)


def takes_target(verb: Verb) -> None:
    """Let a verb take `--lab` and `--socket`."""
    takes_lab(verb)
    verb.takes(
        "--socket",
        type=Path,
        metavar="PATH",
        default=os.environ.get("EI_SOCKET"),
        help="the admin socket of one daemon, in the place of a lab (default: $EI_SOCKET)",
    )


def takes_lab(verb: Verb) -> None:
    """Let a verb take `--lab`."""
    verb.takes(
        "--lab",
        metavar="NAME",
        default=os.environ.get("EI_LAB"),
        help="which lab (default: $EI_LAB, else the one named default)",
    )


def has_lab(arguments: argparse.Namespace) -> bool:
    """Whether the command speaks of a lab: always, but for a socket without one."""
    return arguments.socket is None or arguments.lab is not None


def lab_name(arguments: argparse.Namespace) -> str:
    """Return the name of the lab that the command speaks of."""
    return arguments.lab or DEFAULT_LAB


def find_target(
    name: str | None,
    arguments: argparse.Namespace,
    *,
    kind: Kind | None,
    run_folder: Path = RUN_FOLDER,
) -> Target:
    """Return the daemon that `--socket` names, or the one called `name` in the lab.

    Args:
        name: Full, or short where that is unique; not needed with `--socket`. Without both, the
            node or host that the system runs is meant.
        kind: What it must be; `None` takes both.
        run_folder: Where the system's daemons have their sockets.

    Raises:
        NotFoundError: nothing is called so.
        ConflictError: several are.
        UnreachableError: the lab does not run.
    """
    if arguments.socket is not None:
        return _at_socket(Path(arguments.socket), arguments)
    if name is None and kind is not None and (socket := run_folder / f"{kind}.sock").exists():
        return Target(str(socket), socket)
    if name is None:
        raise NotFoundError(
            "which node or host is meant?", remedy="Name one: ei status lists them."
        )
    targets = {target.name: target for target in lab_targets(arguments, kind=kind)}
    return targets[_full_name(name, list(targets), kind=kind or "node or host")]


def _at_socket(socket: Path, arguments: argparse.Namespace) -> Target:
    """Return the daemon at a socket, by the name that the lab knows it under, if there is one."""
    daemons = read_lab(arguments).daemons.values() if has_lab(arguments) else ()
    names = [daemon.name for daemon in daemons if daemon.admin == str(socket)]
    return Target(names[0] if names else str(socket), socket)


def find_name(name: str, arguments: argparse.Namespace) -> str:
    """Return the full name of a node or host of the lab; see `find_target`."""
    return _full_name(name, list(read_lab(arguments).daemons), kind="node or host")


def lab_targets(arguments: argparse.Namespace, *, kind: Kind | None) -> list[Target]:
    """Return all daemons of the lab, or those of one kind."""
    return [
        Target(daemon.name, Path(daemon.admin))
        for daemon in read_lab(arguments).daemons.values()
        if daemon.admin and kind in {None, daemon.kind}
    ]


def read_lab(arguments: argparse.Namespace) -> "LabFile":
    """Return what runs in the lab that `--lab` names."""
    from ei.lab.run_folder import run_folder

    return run_folder(lab_name(arguments), os.environ).read()


def _full_name(name: str, known: list[str], *, kind: str) -> str:
    if name in known:
        return name
    match [full for full in known if full.partition(".")[0] == name]:
        case [only]:
            return only
        case []:
            raise NotFoundError(
                f"no {kind} is called {name!r}{suggestion(name, known)}",
                remedy="See all that there are: ei status",
            )
        case several:
            names = ", ".join(several)
            raise ConflictError(f"{name!r} may mean {names}", remedy="Use the full name.")
