"""Servers behind a gateway, in a simulated lab: what other hosts get of them, and when nothing."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from tests.ways.conftest import Memory, joined

from ei.daemons.log import Log
from ei.daemons.messages import Request
from ei.errors import ConflictError, DeadlineError, EiError, StreamError
from ei.host.streams import Stream
from ei.lab.catalogue import find_topology
from ei.lab.fixture import Script, run_simulated
from ei.lab.simulation import Simulation
from ei.ways.ends import End
from ei.ways.gateway import Gateway, GatewayLimits, Published, gateway_of

WEB = Published("web", 80, "127.0.0.1", 8_000)


class Backend:
    """A server in memory. `ends` are those of the connections that it got."""

    def __init__(self, refusal: EiError | None = None) -> None:
        self.ends: asyncio.Queue[Memory] = asyncio.Queue()
        self.asked: list[tuple[str, int]] = []
        self._refusal = refusal

    async def __call__(self, host: str, port: int, *, deadline_s: float) -> End:
        self.asked.append((host, port))
        if self._refusal is not None:
            raise self._refusal
        near, far = joined()
        self.ends.put_nowait(far)
        return near


def in_lab(script: Script[None]) -> None:
    run_simulated(find_topology("threedomains"), script)


@asynccontextmanager
async def published(
    lab: Simulation, backend: Backend, limits: GatewayLimits | None = None, log: Log | None = None
) -> AsyncGenerator[Gateway]:
    """Publish a server as bob."""
    async with gateway_of(
        lab.host("bob"),
        [WEB],
        limits=limits or GatewayLimits(),
        connect=backend,
        log=log or Log(io.StringIO()),
    ) as gateway:
        yield gateway


async def opened(lab: Simulation, port: int = 80) -> Stream:
    """Open a stream to bob as alice."""
    return await lab.host("alice").open_stream("bob.isp-b", port)


def test_a_stream_becomes_a_connection_to_the_server_with_its_ends() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with published(lab, backend) as gateway:
            stream = await opened(lab)
            await stream.write(b"question")
            await stream.finish()
            server = await backend.ends.get()
            assert await server.rest() == b"question"
            await server.write(b"answer")
            await server.finish()

            assert await stream.read_all() == b"answer"
            await lab.sleep(1)
            status = gateway.status()

        assert backend.asked == [("127.0.0.1", 8_000)]
        assert (status.open, status.endings) == (0, {"ended": 1})
        assert (status.in_bytes, status.out_bytes) == (8, 6)

    in_lab(script)


@pytest.mark.parametrize(
    ("refusal", "kind", "text"),
    [
        (StreamError("it refuses", kind="refused"), "refused", "refuses connections"),
        (DeadlineError("no answer"), "unreachable", "does not answer"),
        (StreamError("no route", kind="unreachable"), "unreachable", "does not answer"),
    ],
)
def test_why_there_is_no_server_is_told_to_the_other_end_and_in_the_log(
    refusal: EiError, kind: str, text: str
) -> None:
    async def script(lab: Simulation) -> None:
        said = io.StringIO()
        async with published(lab, Backend(refusal), log=Log(said, is_json=False)) as gateway:
            stream = await opened(lab)

            with pytest.raises(StreamError, match=text) as caught:
                await stream.refusal()

            assert caught.value.kind == kind
            assert gateway.status().endings == {kind: 1}
        assert "server=127.0.0.1:8000 peer=alice.isp-a" in said.getvalue()

    in_lab(script)


def test_a_server_that_dies_in_the_middle_is_no_end_for_who_reads() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with published(lab, backend) as gateway:
            stream = await opened(lab)
            server = await backend.ends.get()
            await server.write(b"half")
            assert await stream.read_exactly(4) == b"half"

            server.abort()

            with pytest.raises(StreamError, match="the connection behind it broke"):
                _ = await stream.read()
            await lab.sleep(1)
            assert gateway.status().endings == {"reset": 1}

    in_lab(script)


def test_more_connections_than_allowed_are_refused_and_the_others_go_on() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with published(lab, backend, GatewayLimits(connections=1)) as gateway:
            first = await opened(lab)
            server = await backend.ends.get()
            second = await opened(lab)

            with pytest.raises(StreamError, match="as many connections as it allows"):
                await second.refusal()

            await server.write(b"still here")
            assert await first.read() == b"still here"
            assert gateway.status().endings == {"busy": 1}

    in_lab(script)


def test_who_has_much_leaves_room_for_who_comes_later() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with published(lab, backend, GatewayLimits(connections=10)) as gateway:
            streams = [await opened(lab) for _ in range(8)]
            await lab.sleep(1)
            assert gateway.status().open == 5
            with pytest.raises(StreamError, match="as many connections as it allows"):
                await streams[-1].refusal()

            late = await lab.host("carol").open_stream("bob.isp-b", 80)
            await late.refusal()

            assert gateway.status().open == 6

    in_lab(script)


def test_a_connection_on_which_nothing_moves_is_given_up() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with published(lab, backend, GatewayLimits(idle_s=5)):
            stream = await opened(lab)

            with pytest.raises(StreamError, match="nothing came or went for too long"):
                _ = await stream.read(deadline_s=10)

    in_lab(script)


def test_at_its_end_a_gateway_takes_no_more_and_lets_what_is_open_go_on_for_a_while() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with asyncio.TaskGroup() as group:
            async with published(lab, backend, GatewayLimits(grace_s=10)):
                stream = await opened(lab)
                server = await backend.ends.get()
                stuck = await opened(lab)
                _ = await backend.ends.get()
                late = group.create_task(_finish(lab, stream, server))
                began_s = lab.now_s()
            assert lab.now_s() - began_s == pytest.approx(10)
            assert await late == b"all of it"
        with pytest.raises(StreamError):
            _ = await stuck.read()
        with pytest.raises(StreamError, match="nobody listens there"):
            await (await opened(lab)).refusal()

    in_lab(script)


async def _finish(lab: Simulation, stream: Stream, server: Memory) -> bytes:
    await lab.sleep(5)
    await server.write(b"all of it")
    await server.finish()
    await stream.finish()
    return await stream.read_all()


def test_a_port_is_published_once() -> None:
    async def script(lab: Simulation) -> None:
        limits = GatewayLimits()
        with pytest.raises(ExceptionGroup) as caught:
            async with gateway_of(
                lab.host("bob"), [WEB, WEB], limits=limits, log=Log(io.StringIO())
            ):
                pass

        assert caught.group_contains(ConflictError, match="port 80 already")

    in_lab(script)


def test_its_status_is_an_answer_of_the_admin_socket() -> None:
    async def script(lab: Simulation) -> None:
        async with published(lab, Backend()) as gateway:
            [answer] = [each async for each in gateway.answer(Request("gateway", {}))]

        assert answer["schema"] == "ei.gateway-status/1"
        assert answer["name"] == "bob.isp-b"

    in_lab(script)


def test_a_burst_of_connections_is_served_as_far_as_connections_are_allowed() -> None:
    async def script(lab: Simulation) -> None:
        backend = Backend()
        async with published(lab, backend):
            streams = [await opened(lab) for _ in range(200)]

            for stream in streams:
                await stream.refusal()

            assert len(backend.asked) == 200

    in_lab(script)
