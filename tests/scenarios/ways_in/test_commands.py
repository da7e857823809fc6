"""What stands around the programs of the scenario."""

import asyncio
import socket

from ei.scenarios.ways_in.commands import PAGE, Done, own_address, serving_legacy


def test_a_program_that_prints_nothing_is_known_by_its_complaint() -> None:
    assert Done(0, b"one\ntwo\n", "").words == "one, two"
    assert Done(1, b"", "no\nway\n").words == "no, way"


def test_an_address_of_this_machine_can_be_listened_at() -> None:
    with socket.create_server((own_address() or "127.0.0.1", 0)) as server:
        assert server.getsockname()[1] > 0


def test_the_servers_of_the_legacy_internet_answer() -> None:
    async def program() -> tuple[bytes, bytes]:
        loop = asyncio.get_running_loop()
        async with serving_legacy("127.0.0.1") as (tcp_port, udp_port):
            reader, writer = await asyncio.open_connection("127.0.0.1", tcp_port)
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            page = await reader.read()
            writer.close()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                asking.settimeout(0)
                _ = asking.sendto(b"hello", ("127.0.0.1", udp_port))
                return page, await loop.sock_recv(asking, 100)

    page, echoed = asyncio.run(program())

    assert page.endswith(PAGE)
    assert echoed == b"HELLO"
