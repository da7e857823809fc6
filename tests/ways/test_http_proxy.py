"""Programs that speak HTTP to the proxy, and servers behind it, good and bad, in memory."""

import asyncio
import io
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ways.conftest import Leaving, Memory, Scene, Script, Server, Servers, at_proxy, joined

from ei.daemons.log import Log
from ei.errors import EiError, NotFoundError, StreamError
from ei.ways.http_proxy import MAX_HEAD_BYTES, Cache, HttpClient, HttpLimits
from ei.ways.page import About, NodeSeen

GET = b"GET http://files.campus/%s HTTP/1.1\r\nHost: files.campus\r\n\r\n"
PLACE = ("files.campus", 80)
HOST = b"Host: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
ABOUT = About("alice.isp-a", "127.0.0.1:8118", (NodeSeen("sn1.isp-a", is_up=True, is_used=True),))


def answering(answer: bytes, *, heard: list[bytes] | None = None) -> Server:
    """Return a server that answers a whole head, whatever it says, and ends."""

    async def serve(end: Memory) -> None:
        head = await end.until(b"\r\n\r\n")
        if heard is not None:
            heard.append(head)
        await end.write(answer)
        await end.finish()

    return serve


def proxied(
    script: Script,
    places: dict[tuple[str, int], Server | EiError] | None = None,
    limits: HttpLimits | None = None,
    cache: Cache | None = None,
) -> None:
    """Run a program against a proxy in memory."""

    def make(near: Memory, servers: Servers, count: Callable[[str], object]) -> HttpClient:
        return HttpClient(
            near,
            servers,
            cache=cache,
            about=lambda: ABOUT,
            own_port=8_118,
            limits=limits or HttpLimits(),
            count=count,
            log=Log(io.StringIO()),
        )

    at_proxy(script, make, places)


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


def test_a_request_is_sent_on_as_servers_expect_it_and_the_answer_comes_back() -> None:
    heard: list[bytes] = []

    async def script(scene: Scene) -> None:
        await scene.program.write(
            b"GET http://files.campus/a?b HTTP/1.1\r\nHost: other\r\nProxy-Connection: x\r\n"
            b"X-Mine: 1\r\n\r\n"
        )

        answer = await scene.program.until(b"hello")

        assert answer.startswith(b"HTTP/1.1 200 Fine\r\n")
        assert b"Content-Length: 5" in answer
        sent = b"GET /a?b HTTP/1.1\r\nHost: files.campus\r\nX-Mine: 1\r\n"
        assert heard == [sent + b"Via: 1.1 ei\r\nConnection: close\r\n\r\n"]
        assert scene.servers.dialled == [PLACE]
        assert scene.counts == {"asked": 1}

    server = answering(b"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\nhello", heard=heard)
    proxied(script, {PLACE: server})


def test_a_cache_is_asked_as_a_proxy_for_the_servers_that_it_is_for() -> None:
    heard: list[bytes] = []
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

    async def script(scene: Scene) -> None:
        await scene.program.write(b"GET http://www.example:81/a?b HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await scene.program.until(b"hello")
        assert heard[0].startswith(
            b"GET http://www.example:81/a?b HTTP/1.1\r\nHost: www.example:81\r\n"
        )

        await scene.program.write(GET % b"")

        assert await scene.program.until(b"hello")
        assert heard[1].startswith(b"GET / HTTP/1.1\r\n")
        assert scene.servers.dialled == [PLACE]

    async def cache(name: str) -> Memory | None:
        if name != "www.example":
            return None
        near, far = joined()
        _ = asyncio.get_running_loop().create_task(answering(answer, heard=heard)(far))
        return near

    proxied(script, {PLACE: answering(answer, heard=heard)}, cache=cache)


def test_a_connection_is_kept_for_the_next_request() -> None:
    async def script(scene: Scene) -> None:
        for name in (b"a", b"b", b"c"):
            await scene.program.write(GET % name)
            assert await scene.program.until(b"hello")

        assert scene.servers.dialled == [PLACE] * 3
        assert scene.counts == {"asked": 3}

    server = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    proxied(script, {PLACE: server})


def test_an_answer_of_pieces_stays_one_and_one_that_ends_with_its_connection_becomes_one() -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n"
    )
    places: dict[tuple[str, int], Server | EiError] = {
        PLACE: answering(chunked),
        ("old.campus", 80): answering(b"HTTP/1.0 200 OK\r\n\r\nabc"),
    }

    async def script(scene: Scene) -> None:
        await scene.program.write(GET % b"")
        first = await scene.program.until(b"0\r\nX-T: 1\r\n\r\n")
        assert b"\r\n3\r\nabc\r\n" in first

        await scene.program.write(b"GET http://old.campus/ HTTP/1.1\r\nHost: x\r\n\r\n")

        assert b"\r\n3\r\nabc\r\n0\r\n\r\n" in await scene.program.until(b"0\r\n\r\n")

    proxied(script, places)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_body_reaches_the_server_as_it_is_framed(framing: bytes) -> None:
    got = asyncio.Queue[bytes]()

    async def serve(end: Memory) -> None:
        head = await end.until(b"hello")
        body = head.partition(b"\r\n\r\n")[2]
        if b"chunked" in head and not body.endswith(b"0\r\n\r\n"):
            body += await end.until(b"0\r\n\r\n")
        got.put_nowait(body)
        await end.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await end.finish()

    async def script(scene: Scene) -> None:
        await scene.program.write(b"POST http://files.campus/ HTTP/1.1\r\nHost: x\r\n" + framing)

        assert status_of(await scene.program.until(b"\r\n\r\n")) == 204
        assert await got.get() == framing.partition(b"\r\n\r\n")[2]

    proxied(script, {PLACE: serve})


def test_whoever_waits_for_a_go_ahead_gets_it_from_the_server() -> None:
    async def serve(end: Memory) -> None:
        assert b"Expect: 100-continue" in await end.until(b"\r\n\r\n")
        await end.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert await end.until(b"hello")
        await end.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        await end.finish()

    async def script(scene: Scene) -> None:
        await scene.program.write(
            b"PUT http://files.campus/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert status_of(await scene.program.until(b"\r\n\r\n")) == 100
        await scene.program.write(b"hello")

        assert status_of(await scene.program.until(b"\r\n\r\n")) == 201

    proxied(script, {PLACE: serve})


def test_an_answer_may_come_before_the_body_was_sent() -> None:
    async def serve(end: Memory) -> None:
        _ = await end.until(b"\r\n\r\n")
        await end.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await end.finish()

    async def script(scene: Scene) -> None:
        await scene.program.write(
            b"POST http://files.campus/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\nbegin"
        )

        assert status_of(await scene.program.rest()) == 413

    proxied(script, {PLACE: serve})


def test_a_tunnel_carries_bytes_both_ways_and_their_ends() -> None:
    async def serve(end: Memory) -> None:
        await end.write(b"SSH-2.0 first\r\n")
        await end.write(await end.rest())
        await end.finish()

    async def script(scene: Scene) -> None:
        await scene.program.write(b"CONNECT files.campus:22 HTTP/1.1\r\nHost: x\r\n\r\nearly")
        said = await scene.program.until(b"first\r\n")
        assert said.startswith(b"HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0")
        await scene.program.write(b" and late")
        await scene.program.finish()

        assert await scene.program.rest() == b"early and late"

    proxied(script, {("files.campus", 22): serve})


def test_a_program_that_leaves_before_its_tunnel_is_there_leaves_no_connection() -> None:
    diallers: list[Leaving] = []

    async def serve(end: Memory) -> None:
        _ = await end.rest()

    def make(near: Memory, servers: Servers, count: Callable[[str], object]) -> HttpClient:
        diallers.append(Leaving(near, servers))
        return HttpClient(
            near,
            diallers[0],
            cache=None,
            about=lambda: ABOUT,
            own_port=8_118,
            limits=HttpLimits(),
            count=count,
            log=Log(io.StringIO()),
        )

    async def script(scene: Scene) -> None:
        await scene.program.write(b"CONNECT files.campus:22 HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(1)

        assert [end.code is not None for end in diallers[0].ends] == [True]

    at_proxy(script, make, {("files.campus", 22): serve})


@pytest.mark.parametrize("method", [b"GET http://files.campus/", b"CONNECT files.campus:80"])
def test_why_there_is_no_connection_is_said_in_one_line(method: bytes) -> None:
    error = NotFoundError("no record of 'files.campus'", remedy="Have it enrolled.")

    async def script(scene: Scene) -> None:
        await scene.program.write(method + b" HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n")

        answer = await scene.program.rest()

        assert status_of(answer) == 502
        assert answer.endswith(b"ei proxy: no record of 'files.campus'. Have it enrolled.\n")
        assert scene.counts == {"asked": 1, "refused": 1}

    proxied(script, {PLACE: error})


def test_browsers_get_a_page_in_which_nothing_of_others_works() -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(
            b"GET http://files.campus/<script> HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n"
        )

        answer = await scene.program.rest()

        assert b"<!doctype html>" in answer
        assert b"&lt;script&gt;" in answer
        assert b"<script>" not in answer
        assert b"default-src 'none'" in answer

    proxied(script, {PLACE: NotFoundError("no record")})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", b"ended the connection before its answer was complete"),
        (b"HTTP/1.1 200 OK\r\nContent-", b"ended the connection before its answer was complete"),
        (b"SSH-2.0 hello\r\n\r\n", b"is no answer of HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"no answer of HTTP",
        ),
    ],
)
def test_a_server_that_gives_no_answer_is_a_bad_gateway(answer: bytes, reason: bytes) -> None:
    async def script(scene: Scene) -> None:
        await scene.program.write(GET % b"")

        said = await scene.program.rest()

        assert status_of(said) == 502
        assert reason in said

    proxied(script, {PLACE: answering(answer)})


def test_a_server_that_refuses_is_a_bad_gateway_with_its_reason() -> None:
    async def serve(end: Memory) -> None:
        end.other.lose(StreamError("the server behind it refuses connections", kind="refused"))

    async def script(scene: Scene) -> None:
        await scene.program.write(GET % b"")

        assert b"refuses connections" in await scene.program.rest()

    proxied(script, {PLACE: serve})


@pytest.mark.parametrize("way", ["end", "reset"])
def test_half_an_answer_never_looks_like_a_whole_one(way: str) -> None:
    async def serve(end: Memory) -> None:
        _ = await end.until(b"\r\n\r\n")
        await end.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        await asyncio.sleep(1)
        if way == "end":
            await end.finish()
        else:
            end.abort()

    async def script(scene: Scene) -> None:
        await scene.program.write(GET % b"")
        _ = await scene.program.until(b"half")

        with pytest.raises(StreamError):
            _ = await scene.program.rest()

    proxied(script, {PLACE: serve})


def test_a_program_that_takes_nothing_of_its_answer_is_given_up_in_time() -> None:
    ended = asyncio.Event()

    async def serve(end: Memory) -> None:
        _ = await end.until(b"\r\n\r\n")
        await end.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with pytest.raises(StreamError):
            await end.write(bytes(10_000_000))
        ended.set()

    async def script(scene: Scene) -> None:
        await scene.program.write(GET % b"")

        async with asyncio.timeout(6):
            _ = await ended.wait()

        with pytest.raises(StreamError):
            _ = await scene.program.rest()

    proxied(script, {PLACE: serve}, HttpLimits(idle_s=5))


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async def serve(end: Memory) -> None:
        with pytest.raises(StreamError):
            _ = await end.rest()

    async def script(scene: Scene) -> None:
        await scene.program.write(GET % b"")

        answer = await scene.program.rest()

        assert status_of(answer) == 504
        assert b"for 5 s the server said nothing" in answer

    proxied(script, {PLACE: serve}, HttpLimits(idle_s=5))


@pytest.mark.parametrize(
    ("method", "target", "headers", "status"),
    [
        (b"GET", b"http://a/", b"", 400),
        (b"GET", b"http://a/", HOST + b"Host: b\r\n", 400),
        (b"GET", b"http://a/", HOST + b"Bad Name: x\r\n", 400),
        (b"GET", b"http://a/", b"Host : a\r\n", 400),
        (b"GET", b"http://a/ b", HOST, 400),
        (b"GET", b"http://a/", HOST + b"X: a\x00b\r\n", 400),
        (b"POST", b"http://a/", HOST + b"Content-Length: +5\r\n", 400),
        (b"POST", b"http://a/", HOST + b"Content-Length: 5, 6\r\n", 400),
        (b"POST", b"http://a/", HOST + b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
        (b"POST", b"http://a/", HOST + b"Content-Length: 5\r\n" + CHUNKED, 400),
        (b"POST", b"http://a/", HOST + b"Transfer-Encoding: gzip, chunked\r\n", 501),
        (b"POST", b"http://a/", HOST + b"Transfer-Encoding: xchunked\r\n", 501),
        (b"GET", b"http://a/", HOST + b"X: " + b"a" * 3 * MAX_HEAD_BYTES + b"\r\n", 431),
        (b"GET", b"https://a/", HOST, 400),
        (b"GET", b"/", b"Host: evil.example\r\n", 421),
        (b"POST", b"/", b"Host: 127.0.0.1:8118\r\nContent-Length: 20\r\n", 405),
        (b"GET", b"/metrics", b"Host: 127.0.0.1:8118\r\n", 404),
    ],
)
def test_what_could_be_read_in_two_ways_or_is_not_for_us_is_refused_and_hung_up_on(
    method: bytes, target: bytes, headers: bytes, status: int
) -> None:
    request = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, headers)

    async def script(scene: Scene) -> None:
        await scene.program.write(request + b"CONNECT smuggled:1 HTTP/1.1\r\nHost: x\r\n\r\n")

        answer = await scene.program.rest()

        assert status_of(answer) == status
        assert answer.count(b"HTTP/1.1 ") == 1
        assert scene.servers.dialled == []
        assert scene.counts == {"asked": 1, "refused": 1}

    proxied(script)


def test_a_body_that_breaks_its_framing_reaches_no_server_as_a_second_request() -> None:
    heard: list[bytes] = []

    async def serve(end: Memory) -> None:
        with suppress(StreamError):
            while piece := await end.read():
                heard.append(piece)

    async def script(scene: Scene) -> None:
        await scene.program.write(
            b"POST http://files.campus/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhelloXX0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
        )

        assert status_of(await scene.program.rest()) == 400
        assert b"smuggled" not in b"".join(heard)

    proxied(script, {PLACE: serve})


def test_who_takes_too_long_for_a_head_is_hung_up_on() -> None:
    async def script(scene: Scene) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await scene.program.write(b"GET http://files.campus/ HTTP/1.1\r\nX")

        assert await scene.program.rest() == b""
        assert loop.time() - began_s == pytest.approx(10)

    proxied(script)


def test_a_program_that_leaves_in_mid_request_takes_the_servers_stream_along() -> None:
    given_up = asyncio.Event()

    async def serve(end: Memory) -> None:
        with pytest.raises(StreamError):
            _ = await end.rest()
        given_up.set()

    async def script(scene: Scene) -> None:
        await scene.program.write(
            b"POST http://files.campus/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
        )
        await asyncio.sleep(1)

        scene.program.abort()

        async with asyncio.timeout(1):
            _ = await given_up.wait()

    proxied(script, {PLACE: serve})


def test_the_page_tells_who_goes_through_the_proxy_and_who_does_not() -> None:
    async def through(scene: Scene) -> None:
        await scene.program.write(b"GET http://ei.local/ HTTP/1.1\r\nHost: ei.local\r\n\r\n")
        assert b"goes through the Extensible Internet" in await scene.program.rest()

    async def directly(scene: Scene) -> None:
        await scene.program.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8118\r\n\r\n")
        assert b"asked for this page directly" in await scene.program.rest()

    proxied(through)
    proxied(directly)


def test_browsers_get_their_rules_and_heads_are_heads() -> None:
    async def rules(scene: Scene) -> None:
        await scene.program.write(b"GET /ei.pac HTTP/1.1\r\nHost: localhost:8118\r\n\r\n")
        answer = await scene.program.rest()
        assert b"application/x-ns-proxy-autoconfig" in answer
        assert b"FindProxyForURL" in answer

    async def head(scene: Scene) -> None:
        await scene.program.write(b"HEAD / HTTP/1.1\r\nHost: localhost:8118\r\n\r\n")
        assert (await scene.program.rest()).endswith(b"\r\n\r\n")

    proxied(rules)
    proxied(head)


PIECES = st.lists(
    st.sampled_from(
        [
            b"GET http://files.campus/ HTTP/1.1\r\n", b"POST http://files.campus/ HTTP/1.1\r\n",
            b"CONNECT files.campus:80 HTTP/1.1\r\n", b"GET / HTTP/1.0\r\n", b"Host: a\r\n",
            b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n",
            b"Connection: content-length, host\r\n", b"Expect: 100-continue\r\n", b"\r\n", b"\n",
            b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"\x00", b"\xff\r\n", b" ",
        ]
    ),
    max_size=14,
)  # fmt: skip


@given(pieces=PIECES, answers=PIECES)
def test_whatever_programs_and_servers_say_the_proxy_ends_in_order(
    pieces: list[bytes], answers: list[bytes]
) -> None:
    async def serve(end: Memory) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\n", *answers):
            await end.write(piece)
        await end.finish()
        _ = await end.rest()

    async def script(scene: Scene) -> None:
        with suppress(StreamError):
            for piece in pieces or [b"x"]:
                await scene.program.write(piece)
            await scene.program.finish()
            _ = await scene.program.rest()
        assert set(scene.servers.dialled) <= {PLACE}

    proxied(script, {PLACE: serve}, HttpLimits(idle_s=5, tunnel_s=5))
