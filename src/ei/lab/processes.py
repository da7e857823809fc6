"""Starts and ends labs of real daemons: what `ei lab up`, `down` and `status` do.

They are processes over 127/8, or, as root, each in a network namespace of its own.
"""

import io
import json
import os
import secrets
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import cast

import msgspec

from ei.daemons.client import ask
from ei.errors import ConflictError, DeadlineError, EiError, LimitError, UnreachableError
from ei.lab.census import MARK
from ei.lab.daemon_files import write_daemon_files
from ei.lab.ending import DOWN_LIMIT_S, Ended, end_lab
from ei.lab.etcd import check_etcd
from ei.lab.lab import RealBackend
from ei.lab.layout import PORT, hosts_text, ip_addresses, lay_out, lay_out_etcd
from ei.lab.namespaces import SUBNET, check_allowed
from ei.lab.population import populate
from ei.lab.run_folder import DEFAULT_NAME, Daemon, LabFile, RunFolder, exclusive, run_folder
from ei.lab.topology import LinkKind, Topology
from ei.runtime.loader import folder_of, load_service, read_service
from ei.sdk import Manifest

START_LIMIT_S = 40.0
CLAIM_HOST = "255.254"
"""Of a lab's subnet: whoever has this endpoint has the subnet."""

Progress = Callable[[str], object]


def start_lab(  # noqa: PLR0913 all but the first have a default
    topology: Topology,
    *,
    name: str = DEFAULT_NAME,
    seed: int = 1,
    backend: RealBackend = "processes",
    environ: Mapping[str, str] = os.environ,
    has_host_daemons: bool = True,
    trees: Mapping[str, Path] | None = None,
    owner: socket.socket | None = None,
    on_progress: Progress = str,
) -> LabFile:
    """Start every node and host of `topology` as a daemon; return when all are ready.

    Args:
        topology: What to run.
        name: Of the lab; several may run side by side.
        seed: Of what the links do. Keys come from the system.
        backend: Where they run.
        environ: Where files go, see `run_folder`.
        has_host_daemons: Else hosts get their files only, for a program that is these hosts.
        trees: Daemon name to the source tree, such as that of another version, whose code it runs
            in the place of this program's.
        owner: One of a pair: when the other is closed, at the latest by the death of the program
            that has it, the lab goes down and removes its files.
        on_progress: Gets the name of each daemon that became ready.

    Raises:
        NotFoundError: etcd is not installed, and the topology has a cluster.
        ConflictError: the lab runs already, or a daemon could not start.
        ConfigError, LimitError: the topology asks for what cannot be.
        DeniedError: this system or user may not have namespaces.
        DeadlineError: a daemon did not become ready.
    """
    folder = run_folder(name, environ)
    folder.check_length([plan.name for plan in topology.residents])
    if topology.etcd:
        check_etcd(backend, environ)
    if backend == "netns":
        check_allowed(environ=environ)
    with exclusive(folder):
        _clear(folder)
        claim, subnet = (None, SUBNET) if backend == "netns" else claim_subnet()
        with claim or nullcontext():
            try:
                lab = _write_files(folder, topology, subnet=subnet, seed=seed, backend=backend)
                lab = msgspec.structs.replace(
                    lab,
                    daemons=_chosen(lab.daemons, trees or {}, has_host_daemons=has_host_daemons),
                )
                folder.write(lab)
                held = (claim, owner)
                _run_supervisor(folder, lab, held, environ=environ, on_progress=on_progress)
            except BaseException:
                # Also when the user pressed Ctrl-C: nothing stays half started.
                _ = end_lab(folder)
                raise
    return lab


def stop_lab(*, name: str = DEFAULT_NAME, environ: Mapping[str, str] = os.environ) -> Ended:
    """End a lab, whatever state it is in, and remove its files. Idempotent."""
    folder = run_folder(name, environ)
    with exclusive(folder):
        return end_lab(folder)


def ask_lab(
    verb: str,
    arguments: Mapping[str, object] | None = None,
    *,
    name: str = DEFAULT_NAME,
    environ: Mapping[str, str] = os.environ,
    deadline_s: float = START_LIMIT_S,
) -> dict[str, object]:
    """Ask the supervisor of a lab; see `supervisor.py` for the verbs.

    Raises:
        UnreachableError: no such lab runs.
        EiError: as the supervisor answers.
    """
    folder = run_folder(name, environ)
    _ = folder.read()
    return ask(folder.socket, verb, arguments, deadline_s=deadline_s)


def running_labs(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the labs of this user whose supervisors answer."""
    folders = run_folder(DEFAULT_NAME, environ).path.parent
    names: list[str] = []
    for socket_path in sorted(folders.glob("*/lab.sock")):
        with suppress(EiError):
            _ = ask(socket_path, "status", deadline_s=1.0)
            names.append(socket_path.parent.name)
    return names


def claim_subnet() -> tuple[socket.socket, str]:
    """Return a socket that reserves a subnet of 127/8 for as long as it is open, and the subnet.

    Raises:
        LimitError: 254 labs run on this machine.
    """
    for octet in range(1, 255):
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((f"127.{octet}.{CLAIM_HOST}", PORT))
        except OSError:
            claim.close()
            continue
        return claim, f"127.{octet}"
    raise LimitError("all 254 subnets of 127/8 are taken by labs", remedy="ei lab down")


def _clear(folder: RunFolder) -> None:
    """Make room for a new lab: refuse when one runs, remove what a dead one left."""
    if not folder.path.exists():
        return
    try:
        _ = ask(folder.socket, "status", deadline_s=DOWN_LIMIT_S)
    except EiError:
        _ = end_lab(folder)
        return
    raise ConflictError(
        f"the lab {folder.path.name!r} is running",
        remedy="See it: ei lab status; end it: ei lab down",
    )


def _write_files(
    folder: RunFolder, topology: Topology, *, subnet: str, seed: int, backend: RealBackend
) -> LabFile:
    folder.path.mkdir(parents=True, mode=0o700)
    layout = lay_out(topology, subnet=subnet)
    unix_s = time.time()
    # The mark is in place before anything else, so that what follows can always be cleaned up.
    lab = LabFile(
        name=folder.path.name,
        run_id=secrets.token_hex(16),
        subnet=subnet,
        seed=seed,
        started_unix_s=unix_s,
        topology=topology.name,
        relays=list(layout.relays.values()),
        addresses=ip_addresses(layout) if backend == "netns" else {},
        listed_links=[(*link, each) for link, each in topology.links.items()]
        if backend == "netns"
        else [],
        other_links=topology.link_defaults[LinkKind.HOST],
    )
    folder.write(lab)
    if backend == "netns":
        _ = folder.hosts.write_text(hosts_text(lab.addresses, topology.hosts))
    names = {service for node in topology.nodes.values() for service in node.services}
    services = {name: _manifest_of(name, topology) for name in sorted(names)}
    numbers = {name: manifest.id for name, manifest in services.items()}
    population = populate(
        topology,
        randomness=lambda _: secrets.token_bytes(32),
        unix_s=int(unix_s),
        service_numbers=numbers,
    )
    etcd = lay_out_etcd(topology, subnet=subnet)
    daemons = write_daemon_files(
        folder.path,
        population=population,
        layout=layout,
        service_numbers=numbers,
        etcd=etcd,
    )
    groups = {name: address.hex() for name, address in population.groups.items()}
    lab = msgspec.structs.replace(lab, daemons=daemons, groups=groups)
    folder.write(lab)
    return lab


def _manifest_of(name: str, topology: Topology) -> Manifest:
    """Return the manifest of a service, which is loaded as well unless it is a stranger's."""
    if name in topology.strangers:
        return read_service(folder_of(name, topology.service_folders)).manifest
    return load_service(name, topology.service_folders).manifest


def _chosen(
    daemons: Mapping[str, Daemon], trees: Mapping[str, Path], *, has_host_daemons: bool
) -> dict[str, Daemon]:
    """Return the daemons that are started, each with its tree."""
    return {
        name: msgspec.structs.replace(each, tree=str(trees[name])) if name in trees else each
        for name, each in daemons.items()
        if has_host_daemons or each.kind != "host"
    }


def _run_supervisor(
    folder: RunFolder,
    lab: LabFile,
    held: tuple[socket.socket | None, socket.socket | None],
    *,
    environ: Mapping[str, str],
    on_progress: Progress,
) -> None:
    """Start the supervisor with what it holds: the claim, and its end of the owner's pair."""
    reading, writing = os.pipe()
    _, owner = held
    program = [sys.executable, "-m", "ei.lab.supervisor", str(folder.path), str(writing)]
    if owner is not None:
        program.append(str(owner.fileno()))
    with io.FileIO(reading, "rb") as ready:
        try:
            with folder.log.open("ab") as log:
                # It outlives this process, on purpose; `down` ends it by its mark.
                _ = subprocess.run(
                    program,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**environ, MARK: lab.run_id},
                    pass_fds=(writing, *(each.fileno() for each in held if each is not None)),
                    start_new_session=True,
                    cwd="/",
                    check=False,
                )
        finally:
            os.close(writing)
        _wait_ready(folder, ready, on_progress)


def _wait_ready(folder: RunFolder, ready: io.FileIO, on_progress: Progress) -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    pending = b""
    while True:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0 or not select.select([ready], [], [], left_s)[0]:
            raise DeadlineError(f"the lab was not ready after {START_LIMIT_S:g} s")
        chunk = ready.read(65_536)
        if not chunk:
            word = ""
            with suppress(FileNotFoundError):  # a lab that lost its owner removes its files
                word = folder.log.read_text(errors="replace").strip().rpartition("\n")[2]
            raise UnreachableError(f"the lab's supervisor ended: {word or 'it wrote no log'}")
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            message = cast("dict[str, str]", json.loads(line))
            if "error" in message:
                raise ConflictError(message["error"], remedy=message["remedy"])
            if "ready" in message:
                return
            _ = on_progress(message["running"])
