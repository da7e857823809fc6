"""What parties of a lab of real nodes have is found at them, and what is planted as well."""

import asyncio
import secrets
import socket
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ei.errors import NotFoundError
from ei.lab.canaries import text_canary
from ei.lab.knowledge import Looked
from ei.lab.lab import RealBackend
from ei.lab.load import until
from ei.lab.process_lab import ProcessLab
from ei.lab.topology_file import parse_topology
from ei.lab.witness import Link, Node, Witness, watching
from ei.sdk.knowledge import Party

pytestmark = pytest.mark.slow

HOST = "quince-7hx2v9kd4"
TOPOLOGY = f"""
version = 1
services = ["delivery", "echo"]
[domains.isp-a.nodes.sn1]
[domains.isp-a.hosts.{HOST}]
nodes = ["sn1"]
[domains.isp-b.nodes.sn1]
[domains.isp-b.hosts.plum-4kz8w1qm6]
nodes = ["sn1"]
"""
SEATS = {
    "first_node": Node("sn1.isp-a"),
    "last_node": Node("sn1.isp-b"),
    "first_link": Link(f"{HOST}.isp-a", "sn1.isp-a"),
    "middle_link": Link("sn1.isp-a", "sn1.isp-b"),
}


def run(
    environ: Mapping[str, str],
    script: Callable[[ProcessLab, Witness], Coroutine[Any, Any, None]],
    *,
    backend: RealBackend = "processes",
) -> None:
    async def program() -> None:
        topology = parse_topology(TOPOLOGY, name="witness")
        lab = ProcessLab(topology, seed=1, environ=environ, backend=backend)
        try:
            await lab.open()
            async with watching(lab, SEATS) as witness:
                await script(lab, witness)
        finally:
            await lab.close()

    asyncio.run(program())


async def look(witness: Witness, *texts: str) -> dict[Party, Looked]:
    planted = [text_canary("payload", f"text {text[:4]}", text) for text in texts]
    looked = await witness.look([*witness.canaries_of(HOST), *planted])
    return {each.party: each for each in looked}


def places(looked: Looked, kind: str) -> list[str]:
    return [place.name for place in looked.places if place.kind == kind and place.hits]


@pytest.mark.parametrize("backend", ["processes", "netns"])
def test_each_party_is_found_to_know_what_it_was_told(
    environ: Mapping[str, str], backend: RealBackend, request: pytest.FixtureRequest
) -> None:
    if backend == "netns":
        _ = request.getfixturevalue("allowed")

    async def script(lab: ProcessLab, witness: Witness) -> None:
        _ = await lab.host(HOST).ping("plum-4kz8w1qm6.isp-b", deadline_s=10)

        looked = await look(witness)

        assert looked["first_node"].facts == ("client", "client_place")
        assert places(looked["first_node"], "admin")
        who = {place.split()[0] for place in places(looked["first_node"], "memory")}
        assert len(who) > 1, "the daemon and a worker know the host"
        assert not places(looked["first_node"], "bugreport")  # it goes to somebody else
        assert looked["first_link"].facts == ("client_place",)
        assert looked["middle_link"].facts == ()
        # Delivery hides nobody: who gets a packet knows from whom.
        assert looked["last_node"].facts == ("client",)
        assert all(not each.missing for each in looked.values())

    run(environ, script, backend=backend)


def test_a_node_that_nothing_was_said_to_knows_nothing_of_a_host(
    environ: Mapping[str, str],
) -> None:
    async def script(_: ProcessLab, witness: Witness) -> None:
        looked = await look(witness)

        assert looked["last_node"].facts == ()
        kinds = {place.kind for place in looked["last_node"].places if place.size_bytes}
        assert kinds == {
            "memory", "file", "admin", "metrics", "bugreport", "environment", "command line",
        }  # fmt: skip

    run(environ, script)


def test_a_leak_is_found_wherever_it_is_planted(environ: Mapping[str, str]) -> None:
    logged, stored, asked = (secrets.token_hex(12) for _ in range(3))

    async def script(lab: ProcessLab, witness: Witness) -> None:
        folder = lab.folder("sn1.isp-b")
        with (folder / "log").open("a") as log:
            _ = log.write(f"somebody asks for {logged}\n")
        with closing(sqlite3.connect(folder / "leak.db")) as store:
            _ = store.execute("PRAGMA journal_mode = wal")
            _ = store.execute("CREATE TABLE seen (what BLOB)")
            _ = store.execute("INSERT INTO seen VALUES (?)", [stored.encode()])
            store.commit()
            with pytest.raises(NotFoundError):
                # The node of the other domain is asked, and remembers what for.
                _ = await lab.host(HOST).ping(f"q{asked}.isp-b", deadline_s=10)

            last = (await look(witness, logged, stored, asked))["last_node"]

        assert {Path(place).name for place in places(last, "file")} == {"log", "leak.db-wal"}
        assert [place.rpartition("/")[2] for place in places(last, "bugreport")] == ["log"]
        assert places(last, "memory")
        assert {hit.canary.what[5:] for place in last.places for hit in place.hits} == {
            logged[:4], stored[:4], asked[:4],
        }  # fmt: skip

    run(environ, script)


def test_what_is_sent_in_plain_words_is_found_on_its_link(environ: Mapping[str, str]) -> None:
    sent = secrets.token_hex(12)

    async def script(lab: ProcessLab, _: Witness) -> None:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        ):
            receiver.bind(("127.0.0.1", 0))
            at = f"127.0.0.1:{receiver.getsockname()[1]}"
            async with watching(lab, {"last_link": Link("*", at)}) as witness:
                _ = sender.sendto(sent.encode(), receiver.getsockname())

                async def has_gone() -> bool:
                    return witness.packets("last_link") > 0

                _ = await until(lab, has_gone, limit_s=5)
                looked = (await look(witness, sent))["last_link"]

        assert looked.facts == ("payload",) or looked.missing

    run(environ, script)


def test_a_link_by_which_nothing_went_shows_nothing(environ: Mapping[str, str]) -> None:
    async def script(lab: ProcessLab, _: Witness) -> None:
        async with watching(lab, {"last_link": Link("*", "127.0.0.1:1")}) as witness:
            looked = (await look(witness))["last_link"]

        assert [place for place, _ in looked.missing] == ["the link"]

    run(environ, script)
