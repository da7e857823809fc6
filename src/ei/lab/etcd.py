"""The etcd of a lab's clusters: Debian's own program, run like every other daemon of the lab."""

import http.client
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from ei.errors import ConfigError, NotFoundError
from ei.lab.borrowed import find_program

CLIENT_PORT = 2379
PEER_PORT = 2380
COMMAND_FILE = "command.json"

HEARTBEAT_MS = 50
ELECTION_MS = 500
"""For members on one machine: those that are lost are missed within half a second."""


def find_etcd(environ: Mapping[str, str] = os.environ) -> str:
    """Return the path of etcd.

    Raises:
        NotFoundError: it is not installed.
    """
    found = find_program("etcd", environ)
    if found is None:
        raise NotFoundError(
            "a cluster needs etcd, which is not installed", remedy="apt-get install etcd-server"
        )
    return found


def check_etcd(backend: str, environ: Mapping[str, str] = os.environ) -> None:
    """Check that a lab with a cluster can run.

    Raises:
        NotFoundError: etcd is not installed.
        ConfigError: the backend has no place for it.
    """
    if backend != "processes":
        raise ConfigError(
            f"clusters need etcd, which has no place in {backend}",
            remedy="Add --backend processes",
        )
    _ = find_etcd(environ)


def etcd_command(program: str, name: str, members: Mapping[str, str], folder: Path) -> list[str]:
    """Return the command of one member.

    Args:
        name: Of the member, one of `members`.
        members: Name to IP address.
        folder: For its data.
    """
    client = f"http://{members[name]}:{CLIENT_PORT}"
    peer = f"http://{members[name]}:{PEER_PORT}"
    peers = [f"{each}=http://{address}:{PEER_PORT}" for each, address in members.items()]
    return [
        *(program, "--name", name, "--data-dir", str(folder / "data")),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", ",".join(peers), "--initial-cluster-state", "new"),
        *("--heartbeat-interval", str(HEARTBEAT_MS), "--election-timeout", str(ELECTION_MS)),
        *("--log-level", "warn", "--logger", "zap"),
    ]


def write_etcd(program: str, name: str, members: Mapping[str, str], folder: Path) -> None:
    """Write what a member of etcd needs into its folder, which is made."""
    folder.mkdir()
    command = etcd_command(program, name, members, folder)
    _ = (folder / COMMAND_FILE).write_text(json.dumps(command))


def run_etcd(folder: Path) -> NoReturn:
    """Become the etcd of a folder."""
    command: list[str] = json.loads((folder / COMMAND_FILE).read_text())
    os.execv(command[0], command)  # noqa: S606 a program without a shell


def why_etcd(endpoint: str, *, deadline_s: float) -> str:
    """Return why the etcd at an endpoint is not ready; empty when it is. Blocks."""
    host, _, port = endpoint.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=deadline_s)
    try:
        connection.request("GET", "/health")
        content = connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        return f"etcd does not answer: {error}"
    finally:
        connection.close()
    is_healthy = json.loads(content).get("health") == "true"
    return "" if is_healthy else "etcd has no leader yet"
