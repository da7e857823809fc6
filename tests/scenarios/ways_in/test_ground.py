"""What the scenario stands on."""

import asyncio
import socket
import struct

from ei.scenarios.ways_in.ground import BODY, OUTSIDE, speak

RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: what is unsaid is given up, and the other end told so."""


def test_the_page_is_long_enough_to_be_cut_somewhere() -> None:
    assert len(BODY) == 20_480_000


def test_what_is_outside_is_looked_at_by_programs_that_are_everywhere() -> None:
    assert {words[0] for words in OUTSIDE} <= {"ip", "getent", "cat"}


def test_who_is_reset_while_it_speaks_does_not_complain() -> None:
    async def program() -> list[dict[str, object]]:
        complaints: list[dict[str, object]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        ended = loop.create_future()

        async def speak_to(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await speak(reader, writer)
            finally:
                ended.set_result(None)

        async with await asyncio.start_server(speak_to, "127.0.0.1", 0) as server:
            peer = socket.create_connection(server.sockets[0].getsockname())
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            peer.close()
            await ended
        return complaints

    assert asyncio.run(program()) == []
