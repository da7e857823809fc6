"""What caching promises, as scripts: clients on one side, origins on the other, a clock between."""

from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ei.sdk import (
    Address,
    AtNode,
    Count,
    DropPacket,
    Effect,
    Legacy,
    ReadStream,
    SendControl,
)
from ei.services.caching.fields import write_date
from ei.services.caching.framing import Body, feed
from ei.services.caching.messages import (
    Heard,
    Mark,
    Purge,
    Purged,
    Site,
    Spread,
    Tier,
    write_opening,
)
from ei.services.caching.purges import EVERYTHING
from ei.testing import Playbook, address
from ei.testing.far_ends import FarEnd

ORIGIN = "http://origin.example"
FRESH = "cache-control: max-age=60"
LINGERING = "cache-control: max-age=60, stale-while-revalidate=600"
EAST, WEST = address("east"), address("west")


def as_text(node: Address) -> str:
    return ":".join(node.hex()[i : i + 4] for i in range(0, 32, 4))


def get(path: str = "/x", *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    head = [f"{method} {ORIGIN}{path} HTTP/1.1", "host: origin.example", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def answer(body: bytes = b"hello", *lines: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *lines, "", ""]
    return "\r\n".join(head).encode() + body


def body_of(data: bytes) -> bytes:
    return data.partition(b"\r\n\r\n")[2]


def status_of(data: bytes) -> int:
    return int(data[9:12])


def field(data: bytes, name: str) -> str | None:
    for line in data.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]:
        if line.startswith(f"{name}: "):
            return line.removeprefix(f"{name}: ")
    return None


def counted(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.name for effect in effects if isinstance(effect, Count)]


class Web:
    """A node with a cache, clients, and origins that the script plays."""

    def __init__(self, *, peers: str = "alice bob carol.2 east west", **config: object) -> None:
        self.play = Playbook("caching", peers=peers.split(), config=config)
        self.dialled = 1

    def client(self, name: str = "alice", opening: bytes = b"", **more: int) -> FarEnd:
        return self.play.open_stream(name, opening, **more)

    def origin(self) -> FarEnd:
        """Accept the next connection that the cache makes."""
        far = self.next_dialled()
        _ = far.accept()
        return far

    def next_dialled(self) -> FarEnd:
        self.dialled += 2
        return self.play.far_end(self.dialled)

    def is_dialled(self) -> bool:
        try:
            _ = self.play.far_end(self.dialled + 2)
        except AssertionError:
            return False
        return True

    def ask(self, request: bytes, name: str = "alice", *, opening: bytes = b"") -> bytes:
        """Ask for what is kept already; return the answer, nothing when there is none yet."""
        client = self.client(name, opening)
        _ = client.write(request)
        return client.read()

    def keep(self, response: bytes, request: bytes | None = None, name: str = "alice") -> bytes:
        """Ask, let the origin answer, return what the client got."""
        client = self.client(name)
        _ = client.write(request or get())
        origin = self.origin()
        _ = origin.read()
        _ = origin.write(response)
        _ = origin.end()
        return client.read()

    @property
    def left(self) -> int:
        """Entries of the ephemeral store."""
        return self.play.statistics().ephemeral.entries


# -- kept and used --------------------------------------------------------------------------------


def test_what_is_fetched_is_said_again_without_asking() -> None:
    web = Web()

    first = web.keep(answer(b"hello", FRESH))
    second = web.ask(get(), "bob")

    assert (status_of(first), body_of(first)) == (200, b"hello")
    assert field(first, "cache-status") == "ei; fwd=uri-miss; fwd-status=200; stored"
    assert body_of(second) == b"hello"
    assert field(second, "cache-status") == "ei; hit; ttl=60"
    assert field(second, "age") == "0"
    assert not web.is_dialled()


def test_an_origin_sees_the_request_of_the_client_and_who_handed_it_on() -> None:
    web = Web()
    client = web.client()
    _ = client.write(get("/a?b=1", "accept: text/html", "connection: x-mine", "x-mine: 1"))

    origin = web.origin()

    assert origin.to == Legacy("origin.example", 80)
    assert origin.read().decode().split("\r\n") == [
        "GET /a?b=1 HTTP/1.1",
        "accept: text/html",
        "host: origin.example",
        "via: 1.1 ei",
        'surrogate-capability: ei="Surrogate/1.0"',
        "",
        "",
    ]


def test_what_is_stale_is_asked_for_anew() -> None:
    web = Web()
    _ = web.keep(answer(b"old", FRESH))
    _ = web.play.advance(61)

    assert body_of(web.keep(answer(b"new", FRESH))) == b"new"
    assert body_of(web.ask(get())) == b"new"


def test_a_304_makes_it_fresh_again_for_all_who_wait() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH, 'etag: "a"'))
    _ = web.play.advance(61)
    clients = [web.client(name) for name in ("alice", "bob")]
    for client in clients:
        _ = client.write(get())
    origin = web.origin()

    assert b'if-none-match: "a"' in origin.read()
    _ = origin.write(answer(b"", FRESH, 'etag: "a"', status="304 Not Modified"))

    for client in clients:
        assert body_of(client.read()) == b"hello"
    assert body_of(web.ask(get())) == b"hello"
    assert not web.is_dialled()


def test_a_304_is_for_whom_asked_with_a_condition_and_for_nobody_else() -> None:
    web = Web()
    leaving, staying = web.client("alice"), web.client("bob")
    _ = leaving.write(get("/x", 'if-none-match: "a"'))
    origin = web.origin()
    assert b'if-none-match: "a"' in origin.read()
    _ = staying.write(get())

    _ = leaving.reset()
    _ = origin.write(answer(b"", FRESH, 'etag: "a"', status="304 Not Modified"))

    assert staying.read() == b""
    origin = web.origin()
    assert b"if-none-match" not in origin.read()
    _ = origin.write(answer(b"hello", FRESH, 'etag: "a"'))
    assert body_of(staying.read()) == b"hello"


def test_variants_are_kept_apart() -> None:
    web = Web()
    vary = "vary: accept-language"
    _ = web.keep(answer(b"hallo", FRESH, vary), get("/x", "accept-language: de"))
    _ = web.keep(answer(b"hello", FRESH, vary), get("/x", "accept-language: en"))

    assert body_of(web.ask(get("/x", "accept-language: de"))) == b"hallo"
    assert body_of(web.ask(get("/x", "accept-language: en"))) == b"hello"


def test_a_head_is_answered_by_what_is_kept_of_get() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH))

    said = web.ask(get(method="HEAD"))

    assert (status_of(said), field(said, "content-length"), body_of(said)) == (200, "5", b"")


def test_a_part_is_cut_from_the_whole() -> None:
    web = Web()
    _ = web.keep(answer(b"0123456789", FRESH, 'etag: "a"'))

    part = web.ask(get("/x", "range: bytes=2-4"))
    other = web.ask(get("/x", "range: bytes=2-4", 'if-range: "b"'))
    outside = web.ask(get("/x", "range: bytes=20-"))

    assert (status_of(part), body_of(part)) == (206, b"234")
    assert field(part, "content-range") == "bytes 2-4/10"
    assert (status_of(other), body_of(other)) == (200, b"0123456789")
    assert (status_of(outside), field(outside, "content-range")) == (416, "bytes */10")


def part_of(whole: bytes, first: int, last: int, *lines: str) -> bytes:
    span = f"content-range: bytes {first}-{last}/{len(whole)}"
    return answer(whole[first : last + 1], FRESH, span, *lines, status="206 Partial Content")


def test_a_part_is_kept_and_smaller_ones_are_cut_from_it_and_nothing_else_is() -> None:
    web = Web()
    first = web.keep(part_of(b"0123456789", 4, 9), get("/x", "range: bytes=-6"))

    for text, body in (("bytes=-6", b"456789"), ("bytes=5-7", b"567"), ("bytes=6-", b"6789")):
        part = web.ask(get("/x", f"range: {text}"))
        assert (status_of(part), body_of(part)) == (206, body)
    assert field(part, "content-range") == "bytes 6-9/10"
    assert (status_of(first), body_of(first)) == (206, b"456789")
    for lines in (
        (),
        ("range: bytes=3-5",),
        ("range: bytes=5-7", 'if-range: "b"'),
        ("range: x=1",),
    ):
        client = web.client()
        _ = client.write(get("/x", *lines))
        assert web.origin().read() != b""


def test_all_who_want_the_same_part_cause_one_fetch_and_parts_lie_beside_one_another() -> None:
    web = Web()
    clients = [web.client(name) for name in ("alice", "bob")]
    for client in clients:
        _ = client.write(get("/x", "range: bytes=0-1"))
    origin = web.origin()

    assert b"range: bytes=0-1" in origin.read()
    _ = origin.write(part_of(b"0123456789", 0, 1))
    _ = web.client().write(get("/x", "range: bytes=8-9"))
    _ = origin.write(part_of(b"0123456789", 8, 9))

    assert {body_of(client.read()) for client in clients} == {b"01"}
    assert body_of(web.ask(get("/x", "range: bytes=1-1"))) == b"1"
    assert body_of(web.ask(get("/x", "range: bytes=9-"))) == b"9"


def test_a_part_that_is_stale_is_asked_for_as_that_part() -> None:
    web = Web()
    request = get("/x", "range: bytes=0-1")
    _ = web.keep(part_of(b"0123456789", 0, 1, 'etag: "a"'), request)
    _ = web.play.advance(61)
    client = web.client()
    _ = client.write(request)
    origin = web.origin()

    asked = origin.read()
    assert b"range: bytes=0-1" in asked
    assert b'if-none-match: "a"' in asked
    _ = origin.write(answer(b"", FRESH, 'etag: "a"', status="304 Not Modified"))

    assert (status_of(said := client.read()), body_of(said)) == (206, b"01")
    assert body_of(web.ask(request)) == b"01"


@pytest.mark.parametrize(
    "response",
    [
        answer(b"012", FRESH, "content-range: bytes 0-1/10", status="206 Partial Content"),
        answer(b"01", FRESH, "content-range: bytes 0-1/*", status="206 Partial Content"),
        answer(b"01", FRESH, status="206 Partial Content"),
        answer(b"", FRESH, "content-range: bytes */10", status="416 Range Not Satisfiable"),
    ],
)
def test_a_part_that_does_not_say_which_one_it_is_is_for_its_client_alone(response: bytes) -> None:
    web = Web()
    request = get("/x", "range: bytes=0-1")

    said = web.keep(response, request)

    assert body_of(said) == body_of(response)
    assert web.ask(request) == b""
    assert web.ask(get()) == b""


def test_a_client_that_has_what_is_not_here_is_told_so_by_the_origin() -> None:
    web = Web()
    client = web.client()
    _ = client.write(get("/x", 'if-none-match: "a"'))
    origin = web.origin()

    assert b'if-none-match: "a"' in origin.read()
    _ = origin.write(answer(b"", FRESH, 'etag: "a"', status="304 Not Modified"))

    assert status_of(client.read()) == 304
    assert web.ask(get()) == b""


def test_of_many_who_have_it_one_is_told_by_the_origin_and_the_others_from_here() -> None:
    web = Web(peers=" ".join(f"h{number}" for number in range(20)))
    clients = [web.client(f"h{number}") for number in range(20)]
    for client in clients:
        _ = client.write(get("/x", 'if-none-match: "a"'))
    origin = web.origin()
    _ = origin.read()

    _ = origin.write(answer(b"", FRESH, 'etag: "a"', status="304 Not Modified"))
    assert b"if-none-match" not in origin.read()
    _ = origin.write(answer(b"hello", FRESH, 'etag: "a"'))

    said = [client.read() for client in clients]
    assert sorted(status_of(each) for each in said) == [200, *(304 for _ in range(19))]
    assert not web.is_dialled()


def test_a_client_that_has_it_is_told_so() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH, 'etag: "a"'))

    said = web.ask(get("/x", 'if-none-match: "a"'))

    assert (status_of(said), body_of(said), field(said, "etag")) == (304, b"", '"a"')


def test_who_wants_only_what_is_kept_gets_no_other() -> None:
    web = Web()

    said = web.ask(get("/x", "cache-control: only-if-cached"))

    assert status_of(said) == 504
    assert not web.is_dialled()


def test_requests_on_one_stream_are_answered_in_their_order() -> None:
    web = Web()
    _ = web.keep(answer(b"one", FRESH), get("/1"))
    _ = web.keep(answer(b"two", FRESH), get("/2"))

    said = web.ask(get("/1") + get("/2") + get("/1"))

    assert [part[-3:] for part in said.split(b"HTTP/1.1 200 OK")[1:]] == [b"one", b"two", b"one"]


def test_who_closes_gets_the_end_after_the_answer() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH))
    client = web.client()

    _ = client.write(get("/x", "connection: close"))

    assert body_of(client.read()) == b"hello"
    assert client.is_ended


def test_a_chunked_answer_is_whole_the_next_time() -> None:
    web = Web()
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + FRESH.encode() + b"\r\n\r\n"

    first = web.keep(head + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
    second = web.ask(get())

    assert body_of(first).endswith(b"0\r\n\r\n")
    assert (field(second, "content-length"), body_of(second)) == ("5", b"hello")


# -- one fetch for all ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_crowd_that_asks_for_the_same_causes_one_fetch() -> None:
    web = Web(peers=" ".join(f"h{number}" for number in range(50)))
    crowd = [web.client(f"h{number % 50}") for number in range(600)]
    for client in crowd:
        _ = client.write(get())
    origin = web.origin()

    _ = origin.write(answer(b"hello", FRESH))
    _ = web.play.advance(1)

    assert {body_of(client.read()) for client in crowd} == {b"hello"}
    assert not web.is_dialled()


def test_all_read_the_bytes_as_they_come() -> None:
    web = Web()
    clients = [web.client(name) for name in ("alice", "bob")]
    _ = clients[0].write(get())
    origin = web.origin()
    _ = clients[1].write(get())
    _ = origin.write(answer(b"0123456789", FRESH)[:-5])
    late = web.client()
    _ = late.write(get())

    assert {body_of(client.read()) for client in (*clients, late)} == {b"01234"}
    _ = origin.write(b"56789")
    assert {client.read() for client in (*clients, late)} == {b"56789"}


def test_of_a_body_of_unknown_length_one_reads_as_it_comes_and_the_others_at_its_end() -> None:
    web = Web()
    alice, bob = web.client("alice"), web.client("bob")
    _ = alice.write(get())
    origin = web.origin()
    _ = bob.write(get())

    _ = origin.write(b"HTTP/1.1 200 OK\r\n" + FRESH.encode() + b"\r\n\r\nhello")
    assert body_of(alice.read()) == b"5\r\nhello\r\n"
    assert bob.read() == b""
    _ = origin.end()

    assert alice.read() == b"0\r\n\r\n"
    assert body_of(bob.read()) == b"hello"


def test_what_may_not_be_kept_is_fetched_by_each_for_itself() -> None:
    web = Web()
    alice, bob = web.client("alice"), web.client("bob")
    _ = alice.write(get())
    first = web.origin()
    _ = bob.write(get())

    _ = first.write(answer(b"alice's", "cache-control: private"))
    assert body_of(alice.read()) == b"alice's"
    assert bob.read() == b""
    _ = first.write(answer(b"bob's", "cache-control: private"))

    assert body_of(bob.read()) == b"bob's"


def test_when_who_asked_first_leaves_the_others_are_answered() -> None:
    web = Web()
    alice, bob = web.client("alice"), web.client("bob")
    _ = alice.write(get())
    origin = web.origin()
    _ = bob.write(get())

    _ = alice.reset()
    _ = origin.write(answer(b"hello", "cache-control: no-store"))

    assert body_of(bob.read()) == b"hello"


def test_no_more_than_the_limit_wait() -> None:
    web = Web(waiters=1)
    alice, bob = web.client("alice"), web.client("bob")
    _ = alice.write(get())

    effects = bob.write(get())

    assert "too_many_waiters" in counted(effects)
    assert status_of(bob.read()) == 503


def test_a_private_answer_for_who_is_known_is_not_for_others() -> None:
    web = Web()

    _ = web.keep(answer(b"secret", FRESH), get("/x", "authorization: alice"))

    assert web.ask(get(), "bob") == b""
    assert web.is_dialled()


# -- origins that fail ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "status"),
    [("refused", 502), ("unreachable", 502), ("not_allowed", 502), ("deadline", 504)],
)
def test_who_waits_is_told_that_there_is_no_origin(reason: str, status: int) -> None:
    web = Web()
    client = web.client()
    _ = client.write(get())

    _ = web.next_dialled().refuse(reason)

    said = client.read()
    assert (status_of(said), field(said, "cache-status")) == (status, f"ei; detail={reason}")
    assert body_of(said).startswith(f"ei caching: {ORIGIN}/x: The ".encode())


def test_while_an_origin_is_down_what_is_stale_is_used() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH))
    _ = web.play.advance(61)
    client = web.client()
    _ = client.write(get())

    _ = web.next_dialled().refuse("unreachable")

    said = client.read()
    assert (status_of(said), body_of(said)) == (200, b"hello")
    assert field(said, "cache-status") == "ei; hit; stale; detail=unreachable"


def test_an_error_of_the_origin_is_not_preferred_to_what_is_kept() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH))
    _ = web.play.advance(61)

    assert body_of(web.keep(answer(b"oops", status="503 Service Unavailable"))) == b"hello"


def test_what_must_be_asked_for_is_not_used_stale() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", f"{FRESH}, must-revalidate"))
    _ = web.play.advance(61)
    client = web.client()
    _ = client.write(get())

    _ = web.next_dialled().refuse("unreachable")

    assert status_of(client.read()) == 504


def test_what_is_a_little_stale_is_used_at_once_while_it_is_asked_for() -> None:
    web = Web()
    _ = web.keep(answer(b"old", LINGERING))
    _ = web.play.advance(61)

    assert [body_of(web.ask(get())) for _ in range(3)] == [b"old"] * 3
    _ = web.origin().write(answer(b"new", LINGERING))

    assert body_of(web.ask(get())) == b"new"
    assert not web.is_dialled()


def test_a_body_that_breaks_off_is_never_taken_for_the_whole() -> None:
    web = Web()
    clients = [web.client(name) for name in ("alice", "bob")]
    for client in clients:
        _ = client.write(get())
    origin = web.origin()
    _ = origin.write(answer(b"0123456789", FRESH)[:-5])

    _ = origin.end()

    assert not any(client.is_ended for client in clients)
    assert [client.closed for client in clients] == ["closed"] * 2
    assert web.ask(get()) == b""
    assert web.is_dialled()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\nx: y\n\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"x" * 40_000,
    ],
)
def test_an_origin_that_cannot_be_understood_is_not(head: bytes) -> None:
    web = Web()
    client = web.client()
    _ = client.write(get())
    origin = web.origin()

    _ = origin.write(head)

    assert status_of(client.read()) == 502
    assert origin.closed == "closed"


def test_an_origin_does_not_fill_the_cache_with_interim_answers() -> None:
    web = Web()
    client = web.client(window=1_000)
    _ = client.write(get())
    origin = web.origin()
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: " + b"x" * 1_000 + b"\r\n\r\n"

    _ = origin.write(hints * 9)

    assert origin.closed == "closed"
    said = b""
    while piece := client.read():
        said += piece
    assert b"HTTP/1.1 502" in said


def test_a_connection_is_used_again_and_one_that_was_closed_meanwhile_is_not() -> None:
    web = Web()
    _ = web.client().write(get("/1"))
    origin = web.origin()
    _ = origin.write(answer(b"one", FRESH))
    client = web.client()
    _ = client.write(get("/2"))

    assert not web.is_dialled()
    _ = origin.reset()
    _ = web.origin().write(answer(b"two", FRESH))

    assert body_of(client.read()) == b"two"


def test_no_more_connections_than_the_limit_are_made_to_one_origin() -> None:
    web = Web(connections_per_origin=1)
    clients = [web.client() for _ in range(3)]
    for number, client in enumerate(clients):
        _ = client.write(get(f"/{number}"))
    origin = web.origin()

    for number in range(3):
        assert f"GET /{number} ".encode() in origin.read()
        _ = origin.write(answer(b"%d" % number, FRESH))

    assert not web.is_dialled()
    assert [body_of(client.read()) for client in clients] == [b"0", b"1", b"2"]


# -- other methods --------------------------------------------------------------------------------


def test_a_body_goes_to_the_origin_and_what_is_kept_of_the_target_is_over() -> None:
    web = Web()
    _ = web.keep(answer(b"old", FRESH))
    client = web.client()
    _ = client.write(get("/x", "content-length: 10", method="POST", body=b"01234"))
    origin = web.origin()

    assert origin.read().endswith(b"\r\n\r\n01234")
    _ = client.write(b"56789")
    assert origin.read() == b"56789"
    _ = origin.write(answer(b"done", status="201 Created"))

    assert status_of(client.read()) == 201
    assert web.ask(get()) == b""
    assert origin.read().startswith(b"GET /x ")


def test_a_body_in_chunks_goes_on_in_chunks_and_interim_answers_come_back() -> None:
    web = Web()
    client = web.client()
    lines = ("transfer-encoding: chunked", "expect: 100-continue")
    _ = client.write(get("/x", *lines, method="PUT"))
    origin = web.origin()

    assert b"expect: 100-continue" in origin.read()
    _ = origin.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.read() == b"HTTP/1.1 100 Continue\r\n\r\n"
    _ = client.write(b"5\r\nhello\r\n0\r\n\r\n")
    assert origin.read() == b"5\r\nhello\r\n0\r\n\r\n"
    _ = origin.write(answer(b"done"))

    assert body_of(client.read()) == b"done"


def test_a_change_that_failed_changes_nothing_here() -> None:
    web = Web()
    _ = web.keep(answer(b"old", FRESH))
    _ = web.keep(answer(b"no", status="500 Error"), get(method="DELETE"))

    assert body_of(web.ask(get())) == b"old"


# -- pulled ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_only_one_client_reads_is_read_as_fast_as_that_one_reads() -> None:
    web = Web()
    client = web.client(window=8_192)
    _ = client.write(get())
    origin = web.origin()
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\ncache-control: no-store\r\n\r\n"

    effects = origin.write(head + bytes(1_000_000))

    assert sum(isinstance(effect, ReadStream) for effect in effects) <= 2
    got = client.read()
    while len(body_of(got)) < 1_000_000:
        more = client.read()
        assert more
        got += more
    assert body_of(got) == bytes(1_000_000)


def test_a_slow_reader_holds_nobody_up() -> None:
    web = Web()
    slow, fast = web.client("alice", window=8_192), web.client("bob")
    _ = slow.write(get())
    _ = fast.write(get())
    body = bytes(range(256)) * 1_000

    _ = web.origin().write(answer(body, FRESH))

    got = b""
    while piece := fast.read():
        got += piece
    assert body_of(got) == body
    late = b""
    while piece := slow.read():
        late += piece
    assert body_of(late) == body


def test_a_body_that_is_pushed_out_is_there_for_who_reads_it() -> None:
    web = Web(memory_bytes=400_000)
    slow = web.client("alice", window=8_192)
    body = b"x" * 60_000
    _ = slow.write(get())
    origin = web.origin()
    _ = origin.write(answer(body, FRESH))
    _ = origin.end()
    for number in range(12):
        _ = web.keep(answer(b"y" * 60_000, FRESH), get(f"/{number}"))

    got = b""
    while piece := slow.read():
        got += piece

    assert body_of(got) == body


def test_nothing_is_left_of_who_is_gone() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", "cache-control: no-store"))
    before = web.left
    for _ in range(3):
        client = web.client()
        _ = client.write(get("/x", "cache-control: no-store", "connection: close"))
        origin = web.origin()
        _ = origin.write(answer(b"hello", "connection: close"))
        _ = client.read()
        gone = web.client()
        _ = gone.write(get("/y", "cache-control: no-cache"))
        _ = gone.reset()
        _ = web.next_dialled().refuse()

    _ = web.play.advance(100)

    assert web.left <= before + 5


# -- disk -----------------------------------------------------------------------------------------


def test_a_large_body_is_kept_on_disk_and_asked_for_anew_after_a_restart() -> None:
    web = Web(memory_object_bytes=10_000)
    body = b"0123456789" * 5_000
    _ = web.keep(answer(body, FRESH, 'etag: "a"'))
    assert body_of(web.ask(get())) == body
    assert web.play.statistics().stable.used_bytes > len(body)

    _ = web.play.advance(1)
    web.play.restart()
    web.dialled = 1
    client = web.client()
    _ = client.write(get())
    origin = web.origin()
    assert b'if-none-match: "a"' in origin.read()
    _ = origin.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")

    assert body_of(client.read()) == body
    assert body_of(web.ask(get())) == body


def test_what_comes_after_a_restart_does_not_take_the_place_of_what_the_disk_has() -> None:
    web = Web(memory_object_bytes=10_000)
    old, new = b"old" * 10_000, b"new" * 10_000
    _ = web.keep(answer(old, FRESH, 'etag: "a"'), get("/old"))
    _ = web.play.advance(1)
    web.play.restart()
    web.dialled = 1
    _ = web.keep(answer(new, FRESH), get("/new"))

    client = web.client()
    _ = client.write(get("/old"))
    origin = web.origin()
    _ = origin.read()
    _ = origin.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")

    assert body_of(client.read()) == old


def test_what_was_on_its_way_when_the_worker_ended_takes_no_room_on_the_disk() -> None:
    web = Web(memory_object_bytes=10_000)
    _ = web.keep(answer(b"kept" * 10_000, FRESH, 'etag: "a"'), get("/kept"))
    kept_bytes = web.play.statistics().stable.used_bytes
    for path, response in (("/known", answer(bytes(150_000), FRESH)), ("/other", UNKNOWN)):
        _ = web.client().write(get(path))
        origin = web.origin()
        _ = origin.read()
        _ = origin.write(response[:100])
        _ = origin.write(bytes(90_000))
    assert web.play.statistics().stable.used_bytes > kept_bytes + 180_000

    web.play.restart()
    _ = web.play.advance(1)

    assert web.play.statistics().stable.used_bytes < kept_bytes + 1_000
    web.dialled = 1
    client = web.client()
    _ = client.write(get("/kept"))
    origin = web.origin()
    _ = origin.read()
    _ = origin.write(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    assert body_of(client.read()) == b"kept" * 10_000


@pytest.mark.slow
def test_what_was_used_goes_from_memory_to_disk() -> None:
    web = Web(memory_bytes=400_000)
    for number in range(6):
        _ = web.keep(answer(b"%d" % number * 60_000, FRESH), get(f"/{number}"))
    for number in range(6, 30):
        _ = web.keep(answer(b"%d" % (number % 10) * 60_000, FRESH), get(f"/{number}"))
        _ = web.ask(get(f"/{number}")), web.ask(get(f"/{number}"))

    assert web.play.statistics().stable.entries > 0


NO_MORE = Body("chunked", stage="trailers", is_done=True)
UNKNOWN = b"HTTP/1.1 200 OK\r\n" + FRESH.encode() + b"\r\n\r\n"
"""The head of an answer that ends with its connection."""


def test_what_turns_out_to_be_large_goes_on_to_the_disk() -> None:
    web = Web(memory_object_bytes=10_000)
    body = b"0123456789" * 20_000
    alice, bob = web.client("alice"), web.client("bob")
    for client in (alice, bob):
        _ = client.write(get())
    origin = web.origin()
    _ = origin.write(UNKNOWN)

    said = b""
    for start in range(0, len(body), 7_000):
        _ = origin.write(body[start : start + 7_000])
        said += alice.read()
    _ = origin.end()

    assert feed(Body("chunked"), body_of(said + alice.read()))[:2] == (NO_MORE, body)
    assert body_of(b"".join(iter(bob.read, b""))) == body
    assert status_of(web.ask(get())) == 200
    assert web.play.statistics().stable.used_bytes > len(body)


def test_what_is_longer_than_may_be_kept_is_passed_on() -> None:
    web = Web(memory_object_bytes=10_000, disk_object_bytes=20_000)

    first = web.keep(UNKNOWN + bytes(30_000))

    assert len(body_of(first)) > 30_000
    assert web.ask(get()) == b""


# -- tenants and poisoning ------------------------------------------------------------------------


def test_hosts_of_another_domain_do_not_get_what_was_fetched_for_this_one() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH), name="alice")

    assert body_of(web.ask(get(), "bob")) == b"hello"
    assert web.ask(get(), "carol.2") == b""
    assert web.is_dialled()


def test_a_host_may_be_a_tenant_of_its_own() -> None:
    web = Web(tenant="host")
    _ = web.keep(answer(b"hello", FRESH), name="alice")

    assert body_of(web.ask(get(), "alice")) == b"hello"
    assert web.ask(get(), "bob") == b""


@pytest.mark.parametrize(
    "line", ["x-forwarded-host: evil", "x-original-url: /evil", "forwarded: host=evil"]
)
def test_fields_that_pose_do_not_reach_the_origin(line: str) -> None:
    web = Web()
    _ = web.client().write(get("/x", line))

    assert b"evil" not in web.origin().read()


def test_an_answer_to_a_request_with_unknown_fields_is_for_its_client_alone() -> None:
    web = Web()
    evil = web.keep(answer(b"evil", FRESH), get("/x", "x-odd: evil"))

    assert body_of(evil) == b"evil"
    assert web.ask(get(), "bob") == b""


def test_host_does_not_decide_what_is_fetched() -> None:
    web = Web()
    client = web.client()
    _ = client.write(b"GET http://origin.example/x HTTP/1.1\r\nhost: evil.example\r\n\r\n")

    origin = web.origin()

    assert origin.to == Legacy("origin.example", 80)
    assert b"host: origin.example\r\n" in origin.read()


def test_a_body_in_a_get_does_not_decide_what_others_get() -> None:
    web = Web()
    _ = web.keep(answer(b"evil", FRESH), get("/x", "content-length: 1", body=b"x"))

    assert web.ask(get(), "bob") == b""


def test_connection_does_not_take_out_what_frames_a_request() -> None:
    web = Web()
    inner = b"GET /poison HTTP/1.1\r\nhost: origin.example\r\n\r\n"
    lines = ("connection: content-length, host", f"content-length: {len(inner)}")
    _ = web.client().write(get("/a", *lines, method="POST", body=inner))

    assert f"content-length: {len(inner)}\r\n".encode() in web.origin().read()


def test_a_variant_is_the_one_that_the_origin_was_asked_for() -> None:
    web = Web()
    hidden = ("connection: accept-language", "accept-language: en")
    _ = web.keep(answer(b"default", FRESH, "vary: accept-language"), get("/x", *hidden))

    assert web.ask(get("/x", "accept-language: en"), "bob") == b""


@pytest.mark.parametrize(
    "line", ["cache-control: no-cache", "cache-control: max-age=0, must-revalidate", "x: y"]
)
def test_what_may_not_be_used_without_asking_is_not_handed_to_others_who_wait(line: str) -> None:
    web = Web()
    alice, bob = web.client("alice"), web.client("bob")
    _ = alice.write(get("/me"))
    first = web.origin()
    _ = bob.write(get("/me"))

    _ = first.write(answer(b"alice's", line, 'etag: W/"1"'))

    assert body_of(alice.read()) == b"alice's"
    assert bob.read() == b""


def test_a_page_for_a_cookie_is_kept_only_if_the_origin_says_so() -> None:
    web = Web()
    _ = web.keep(answer(b"alice's", 'etag: W/"1"'), get("/me", "cookie: s=alice"))
    bob = web.client("bob")
    _ = bob.write(get("/me", "cookie: s=bob"))

    _ = web.next_dialled().refuse("unreachable")

    assert status_of(bob.read()) == 502


def test_a_304_brings_no_cookie_to_others_and_may_end_the_keeping() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH, 'etag: "a"'))
    _ = web.play.advance(61)
    lines = ("set-cookie: session=alice", 'etag: "a"')
    _ = web.keep(answer(b"", FRESH, *lines, status="304 Not Modified"))

    assert field(web.ask(get(), "bob"), "set-cookie") is None
    _ = web.play.advance(61)
    private = answer(b"", "cache-control: private", 'etag: "a"', status="304 Not Modified")
    assert body_of(web.keep(private)) == b"hello"
    assert web.ask(get(), "bob") == b""


def test_tenants_share_no_connection() -> None:
    web = Web()
    _ = web.client("alice").write(get("/1"))
    _ = web.origin().write(answer(b"one", FRESH))

    _ = web.client("carol.2").write(get("/2"))

    assert web.is_dialled()


def test_a_connection_by_which_somebody_is_known_is_not_used_again() -> None:
    web = Web()
    _ = web.client("alice").write(get("/1", "authorization: NTLM x"))
    origin = web.origin()
    _ = origin.write(answer(b"one", FRESH))

    assert origin.closed == "closed"


def test_who_takes_nothing_is_not_waited_for_and_nor_is_a_place_in_the_line() -> None:
    web = Web(connections_per_origin=1, idle_s=60.0, origin_s=20.0)
    stuck, late = web.client(window=8_192), web.client()
    _ = stuck.write(get("/1", "cache-control: no-store"))
    _ = web.origin().write(answer(bytes(1_000_000)))
    _ = late.write(get("/2"))

    _ = web.play.advance(21)
    assert status_of(late.read()) == 503
    _ = web.play.advance(41)
    assert stuck.closed == "closed"
    _ = web.client().write(get("/3"))
    assert web.is_dialled()


def test_who_has_left_keeps_no_place_in_the_line() -> None:
    web = Web(connections_per_origin=1)
    _ = web.client().write(get("/busy"))
    busy = web.origin()
    for number in range(3):
        gone = web.client()
        _ = gone.write(get(f"/{number}"))
        _ = gone.reset()
    _ = busy.read()

    _ = busy.write(answer(b"hello", FRESH))

    assert busy.read() == b""


def test_an_idle_connection_makes_room_for_a_request_that_needs_its_own() -> None:
    web = Web(connections_per_origin=1)
    _ = web.client().write(get("/1"))
    _ = web.origin().write(answer(b"one", FRESH))

    _ = web.client().write(get("/2", "content-length: 1", method="POST", body=b"x"))

    assert web.is_dialled()


# -- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status", "word"),
    [
        (b"GET / HTTP/1.1\nhost: a\n\n", 400, "bad_line_end"),
        (get("/x", "content-length: 1", "transfer-encoding: chunked"), 400, "both_lengths"),
        (get("/x", "content-length: 1", "content-length: 2"), 400, "several_lengths"),
        (get("/x", "transfer-encoding: gzip"), 501, "bad_transfer_encoding"),
        (get("/x", " folded: x"), 400, "folded_field"),
        (get("/x", "a b: x"), 400, "bad_field"),
        (get("/x", *["a: b"] * 200), 431, "too_many_fields"),
        (get("/x", "a: " + "b" * 40_000), 431, "head_too_long"),
        (b"GET /x HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad_target"),
        (b"GET https://a/ HTTP/1.1\r\nhost: a\r\n\r\n", 400, "bad_target"),
        (b"GET http://a/ HTTP/1.1\r\n\r\n", 400, "bad_host"),
        (b"CONNECT a:443 HTTP/1.1\r\nhost: a\r\n\r\n", 501, "bad_method"),
        (b"GET / HTTP/3.0\r\n\r\n", 505, "bad_version"),
        (get("/x", "transfer-encoding: chunked", method="POST", body=b"zz\r\n"), 400, "bad_chunk"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused_and_the_stream_closed(
    data: bytes, status: int, word: str
) -> None:
    web = Web()
    client = web.client()

    _ = client.write(data)

    said = client.read()
    assert (status_of(said), field(said, "cache-status")) == (status, f"ei; detail={word}")
    assert client.is_ended


def test_a_head_that_does_not_come_is_not_waited_for() -> None:
    web = Web()
    client = web.client()
    _ = client.write(get()[:-3])

    for _ in range(31):
        _ = web.play.advance(1)

    assert status_of(client.read()) == 408
    assert client.is_ended


def test_packets_are_refused() -> None:
    web = Web()

    assert DropPacket("streams_only") in web.play.packet("alice")


@pytest.mark.parametrize("opening", [b"\xc1", write_opening(Tier(b"\0\0\0\2"))])
def test_an_opening_that_is_none_or_not_for_this_peer_is_refused(opening: bytes) -> None:
    web = Web()
    client = web.client("alice", opening)

    assert status_of(client.read()) == 403
    assert client.is_ended


def test_a_stream_may_be_for_one_site() -> None:
    web = Web()
    client = web.client("alice", write_opening(Site("origin.example", 8080)))
    _ = client.write(b"GET /x HTTP/1.1\r\nhost: anything\r\n\r\n")

    origin = web.origin()

    assert origin.to == Legacy("origin.example", 8080)
    assert b"host: origin.example:8080\r\n" in origin.read()


@pytest.mark.slow
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    st.lists(st.integers(0, 10_000), max_size=6),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.booleans(),
)
def test_in_whatever_pieces_it_comes_the_answers_are_the_same(
    asked: list[int],
    answered: list[int],
    is_chunked: bool,  # noqa: FBT001
) -> None:
    web = Web()
    client = web.client()
    requests = get("/x", "content-length: 7", method="POST", body=b"payload") + get("/y") * 2
    for piece in split(requests, asked):
        _ = client.write(piece)
    chunks = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"
    )
    first = chunks if is_chunked else answer(b"abcdef")
    origin = web.origin()
    for piece in split(first, answered):
        _ = origin.write(piece)
    for piece in split(answer(b"hello", FRESH), answered):
        _ = origin.write(piece)
    said = client.read()

    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.count(b"hello") == 2
    assert b"abcdef" in unchunked(said.split(b"HTTP/1.1 200 OK")[1])


def unchunked(data: bytes) -> bytes:
    body = body_of(b"HTTP/1.1 200 OK" + data)
    if b"transfer-encoding" not in data:
        return body
    content = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        content, body = content + body[: int(size, 16)], body[int(size, 16) + 2 :]
    return content


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


# -- purges ---------------------------------------------------------------------------------------


def test_all_variants_under_a_tag_are_gone_at_once() -> None:
    web = Web()
    lines = (FRESH, "vary: accept-language", "surrogate-key: news front")
    for language in ("de", "en"):
        _ = web.keep(answer(b"old", *lines), get("/x", f"accept-language: {language}"))
    _ = web.play.advance(1)

    effects = web.play.control("bob", Purge(7, tags=(b"news",)))

    assert SendControl(Purged(7), to=address("bob")) in effects
    for language in ("de", "en"):
        assert web.ask(get("/x", f"accept-language: {language}")) == b""


def test_a_url_is_purged_and_others_are_not() -> None:
    web = Web()
    _ = web.keep(answer(b"one", FRESH), get("/1"))
    _ = web.keep(answer(b"two", FRESH, "cache-tag: a, b"), get("/2"))
    _ = web.play.advance(1)

    _ = web.play.control("alice", Purge(1, urls=(f"{ORIGIN}/1", "no url")))

    assert web.ask(get("/1")) == b""
    assert body_of(web.ask(get("/2"))) == b"two"
    _ = web.play.control("alice", Purge(2, tags=(b"b",)))
    assert web.ask(get("/2")) == b""


def test_a_soft_purge_lets_it_be_used_while_it_is_asked_for() -> None:
    web = Web()
    _ = web.keep(answer(b"old", LINGERING, "surrogate-key: a"))
    _ = web.play.advance(1)
    _ = web.play.control("alice", Purge(1, tags=(b"a",), is_soft=True))

    assert body_of(web.ask(get())) == b"old"
    _ = web.play.advance(1)
    _ = web.origin().write(answer(b"new", LINGERING, "surrogate-key: a"))

    assert body_of(web.ask(get())) == b"new"


def test_who_is_of_another_domain_purges_nothing_here() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH, "surrogate-key: a"))
    _ = web.play.advance(1)

    _ = web.play.control("carol.2", Purge(1, urls=(f"{ORIGIN}/x",), tags=(b"a",)))

    assert body_of(web.ask(get())) == b"hello"


def test_what_was_on_its_way_during_a_purge_is_not_kept() -> None:
    web = Web()
    client = web.client()
    _ = client.write(get())
    origin = web.origin()
    _ = web.play.advance(1)
    _ = web.play.control("alice", Purge(1, urls=(f"{ORIGIN}/x",)))

    _ = origin.write(answer(b"old", FRESH))

    assert body_of(client.read()) == b"old"
    assert b"old" not in web.ask(get())


# -- the tier -------------------------------------------------------------------------------------


def tier(purges: int = 1_000) -> Web:
    return Web(nodes=[as_text(address(name)) for name in ("self", "east", "west")], purges=purges)


def path_of(web: Web, node: Address) -> str:
    """Return a path that the tier leaves to a node."""
    for number in range(100):
        client = web.client()
        _ = client.write(get(f"/{number}"))
        far = web.next_dialled()
        if isinstance(far.to, AtNode) and far.to.node == node:
            _ = far.refuse()
            _ = web.next_dialled().refuse()
            return f"/{number}"
        _ = far.refuse()
        if isinstance(far.to, AtNode):
            _ = web.next_dialled().refuse()
    raise AssertionError("no path found")


def test_a_target_is_asked_of_the_node_that_keeps_it_and_of_the_origin_without_that() -> None:
    web = tier()
    path = path_of(web, EAST)
    client = web.client()
    _ = client.write(get(path))
    east = web.origin()

    assert east.to == AtNode(EAST, write_opening(Tier(b"\0\0\0\1")))
    assert east.read().startswith(f"GET {ORIGIN}{path} HTTP/1.1\r\n".encode())
    _ = east.reset()
    _ = web.origin().write(answer(b"hello", FRESH))

    assert body_of(client.read()) == b"hello"


def test_a_node_of_the_tier_asks_for_the_tenants_of_its_own() -> None:
    web = tier()
    client = web.client("east", write_opening(Tier(b"\0\0\0\1")))
    _ = client.write(get())
    origin = web.origin()

    assert origin.to == Legacy("origin.example", 80)
    _ = origin.write(answer(b"hello", FRESH))
    _ = web.play.advance(2)

    assert field(client.read(), "x-ei-age-ms") == "0"
    again = web.ask(get(), "west", opening=write_opening(Tier(b"\0\0\0\1")))
    assert field(again, "x-ei-age-ms") == "2000"
    assert web.ask(get(), "west", opening=write_opening(Tier(b"\0\0\0\2"))) == b""


def test_what_another_node_kept_from_before_a_purge_does_not_come_back() -> None:
    web = tier()
    path = path_of(web, EAST)
    _ = web.play.advance(10)
    _ = web.play.control("alice", Purge(1, urls=(f"{ORIGIN}{path}",)))
    _ = web.play.advance(1)
    client = web.client()
    _ = client.write(get(path))

    _ = web.origin().write(answer(b"old", FRESH, "age: 5", "x-ei-age-ms: 5000"))

    said = client.read()
    assert (body_of(said), field(said, "x-ei-age-ms")) == (b"old", None)
    assert web.ask(get(path)) == b""


def test_an_origin_does_not_pose_as_a_node_of_the_tier() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH, "x-ei-age-ms: 999999"))

    assert body_of(web.ask(get())) == b"hello"


def test_purges_are_told_to_the_other_nodes_until_they_say_that_they_heard() -> None:
    web = tier()
    _ = web.play.peer_down("east")

    effects = web.play.control("alice", Purge(1, tags=(b"a",)))
    (spread,) = [e.message for e in effects if isinstance(e, SendControl) and e.to == WEST]

    assert isinstance(spread, Spread)
    assert web.play.control("west", Heard(spread.epoch, spread.next)) == ()
    assert web.play.peer_up("west") == ()
    assert web.play.peer_up("east") == (SendControl(spread, to=EAST),)
    assert web.play.control("east", Heard(spread.epoch, spread.next)) == ()


def test_what_another_node_spreads_is_purged_here() -> None:
    here, there = tier(), tier()
    effects = there.play.control("alice", Purge(1, tags=(b"a",)))
    spread = next(e.message for e in effects if isinstance(e, SendControl) and e.to == EAST)
    assert isinstance(spread, Spread)
    _ = keep_here(here, "surrogate-key: a")
    _ = here.play.advance(1)

    effects = here.play.control("west", spread)

    assert effects == (SendControl(Heard(spread.epoch, spread.next), to=WEST),)
    assert here.ask(get()) == b""


def keep_here(web: Web, *lines: str) -> bytes:
    client = web.client("east", write_opening(Tier(b"\0\0\0\1")))
    _ = client.write(get())
    _ = web.origin().write(answer(b"hello", FRESH, *lines))
    return client.read()


def test_a_stranger_spreads_nothing() -> None:
    web = Web()
    _ = web.keep(answer(b"hello", FRESH))
    _ = web.play.advance(1)

    assert web.play.control("alice", Spread(0, 1, (Mark(EVERYTHING, is_soft=False),))) == ()
    assert body_of(web.ask(get())) == b"hello"


def test_who_was_away_for_longer_than_is_remembered_hears_that_all_is_in_doubt() -> None:
    web = tier(purges=3)
    _ = web.play.peer_down("east")
    for number in range(9):
        _ = web.play.control("alice", Purge(number, tags=(b"%d" % number,)))

    (effect,) = web.play.peer_up("east")

    assert isinstance(effect, SendControl)
    assert isinstance(effect.message, Spread)
    assert effect.message.marks[0] == Mark(EVERYTHING, is_soft=False)
    assert len(effect.message.marks) == 4


def test_what_is_older_than_the_purges_that_are_remembered_counts_as_purged() -> None:
    web = Web(purges=3)
    _ = web.keep(answer(b"hello", FRESH))
    _ = web.play.advance(1)

    for number in range(5):
        _ = web.play.control("alice", Purge(number, tags=(b"%d" % number,)))

    assert web.ask(get()) == b""


def test_dates_are_there_even_if_the_origin_has_none() -> None:
    web = Web()

    assert field(web.keep(answer()), "date") == write_date(1_000)
