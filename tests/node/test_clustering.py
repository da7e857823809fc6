"""A node is a member of a cluster if its file says so; a node on its own does not know of etcd."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from tests.node.test_membership import KeysInMemory, Rig

from ei.errors import ConfigError, EiError
from ei.node.clustering import begin_membership
from ei.node.membership import Membership
from ei.node.prepare import prepare_node

MANIFEST = """
id = 0xF0000003
name = "kept"
version = "0.0.1"
summary = "Keeps copies."
stable_bytes = 1_000
state = "replicated"
"""
SERVICE = """
from ei.sdk import Service


class Kept(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        return ()

SERVICE = Kept
"""


def with_kept(node_file: Path, more: str = "") -> None:
    """Let a node run a service whose state has copies."""
    folder = node_file.parent / "services" / "kept"
    folder.mkdir(parents=True)
    _ = (folder / "manifest.toml").write_text(MANIFEST)
    _ = (folder / "service.py").write_text(SERVICE)
    added = f'service_folders = ["services"]\n{more}\nservices = ["kept", '
    text = node_file.read_text().replace("services = [", added, 1)
    _ = node_file.write_text(text)


def test_copies_without_a_cluster_are_refused_with_what_would_allow_it(node_file: Path) -> None:
    with_kept(node_file)

    with pytest.raises(ConfigError, match="is to be on 2 members") as refused:
        _ = prepare_node(node_file)

    assert refused.value.remedy == ("Say [cluster], or that one is enough: copies = { kept = 1 }")


def test_one_copy_needs_no_cluster(node_file: Path) -> None:
    with_kept(node_file, "copies = { kept = 1 }")

    prepared = prepare_node(node_file)

    assert prepared.replicated == {0xF0000003: ("kept", 1)}


def test_a_member_keeps_as_many_as_the_service_says(node_file: Path) -> None:
    with_kept(node_file, 'cluster = { name = "c", etcd = ["127.0.0.1:1"] }')

    assert prepare_node(node_file).replicated == {0xF0000003: ("kept", 2)}


PROGRAM = """
import sys
import ei.node.daemon
print([name for name in sys.modules if name in ("ei.node.etcd", "ei.node.membership")])
"""


@pytest.mark.slow
def test_a_node_on_its_own_does_not_load_the_client_of_etcd() -> None:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    ).stdout

    assert said == "[]\n"


class Broken(KeysInMemory):
    """Etcd, with somebody else's words in it that our code does not expect."""

    def read(self, prefix: str) -> list[tuple[str, bytes, int]]:
        raise RuntimeError("surprise")


def test_a_mistake_in_the_membership_ends_the_node() -> None:
    async def program() -> EiError:
        failures: asyncio.Queue[EiError] = asyncio.Queue()
        rig = Rig(Broken())
        being = begin_membership(rig.membership, failures.put_nowait)
        async with asyncio.timeout(5):
            failure = await failures.get()
        being.end()
        return failure

    assert "membership of the cluster has failed: RuntimeError('surprise')" in str(
        asyncio.run(program())
    )


def test_in_no_cluster_there_is_nothing_to_end() -> None:
    none: Membership | None = None

    begin_membership(none, lambda _: None).end()
