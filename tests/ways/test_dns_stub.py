"""The stub without sockets: what it answers itself, what it passes on, and what it counts."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from dns.rcode import Rcode
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st
from tests.ways.messages import asked, read, reasons, records

from ei.errors import UnreachableError
from ei.records.addresses import parse_address
from ei.sdk.packets import Address
from ei.ways.dns_messages import Question, Said
from ei.ways.dns_stub import Stub
from ei.ways.dns_zone import Known, Looked, Unknown

AT = "fd35:0:1:9c1b::7"
CLIENT = ("192.0.2.1", 4_000)
OTHER = ("192.0.2.2", 4_000)


async def look(wanted: str | Address) -> Looked:
    if wanted in {"bob.isp-b", parse_address(AT)}:
        return Known("bob.isp-b", parse_address(AT), 60.0)
    return Unknown(f"no record of {wanted!r}", is_certain=True)


class Upstream:
    """Answers each question with `answered`, once it is told to."""

    def __init__(self, *, is_held: bool = False) -> None:
        self.asked: list[tuple[bytes, bool]] = []
        self.go_on = asyncio.Event()
        if not is_held:
            self.go_on.set()

    async def __call__(self, question: Question, *, is_udp: bool) -> bytes:
        self.asked.append((question.wire, is_udp))
        _ = await self.go_on.wait()
        return answered(question.wire)


def answered(wire: bytes) -> bytes:
    return wire[:2] + b"whatever the upstream says"


def run(script: Coroutine[Any, Any, None]) -> None:
    asyncio.run(script)


def test_names_of_ours_never_reach_the_upstream() -> None:
    async def script() -> None:
        upstream = Upstream()
        stub = Stub(look, upstream)

        known = await stub.answer(asked("bob.isp-b.ei."), client=CLIENT, is_udp=True)
        missing = await stub.answer(asked("nobody.isp-b.ei."), client=CLIENT, is_udp=True)

        assert records(read(known)) == [f"bob.isp-b.ei. 60 IN AAAA {AT}"]
        assert read(missing).rcode() == Rcode.NXDOMAIN
        assert reasons(read(missing)) == ["no record of 'nobody.isp-b'"]
        assert upstream.asked == []

    run(script())


def test_other_names_are_passed_on_byte_for_byte_both_ways() -> None:
    async def script() -> None:
        upstream = Upstream()
        stub = Stub(look, upstream)
        wire = asked("Example.COM.", "MX") + b"whatever else a message carries"

        by_udp = await stub.answer(wire, client=CLIENT, is_udp=True)
        by_tcp = await stub.answer(wire, client=CLIENT, is_udp=False)

        assert by_udp == by_tcp == answered(wire)
        assert upstream.asked == [(wire, True), (wire, False)]

    run(script())


def test_an_upstream_that_does_not_answer_is_a_failure_with_its_reason() -> None:
    async def script() -> None:
        async def silent(question: Question, *, is_udp: bool) -> bytes:  # noqa: ARG001
            raise UnreachableError(f"192.0.2.53:53 does not answer{'' if is_udp else ' by TCP'}")

        stub = Stub(look, silent)

        answer = read(await stub.answer(asked("example.com."), client=CLIENT, is_udp=True))

        assert answer.rcode() == Rcode.SERVFAIL
        assert reasons(answer) == ["192.0.2.53:53 does not answer"]
        assert stub.counted["unanswered"] == 1

    run(script())


def test_a_question_that_comes_back_from_elsewhere_is_a_loop() -> None:
    async def script() -> None:
        upstream = Upstream(is_held=True)
        stub = Stub(look, upstream)
        wire = asked("example.com.")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(stub.answer(wire, client=CLIENT, is_udp=True))
            await asyncio.sleep(0)

            looped = read(await stub.answer(wire, client=OTHER, is_udp=True))
            upstream.go_on.set()

        assert looped.rcode() == Rcode.SERVFAIL
        assert "a loop" in reasons(looped)[0]
        assert first.result() == answered(wire)

    run(script())


def test_who_asks_again_gets_the_one_answer_also_by_another_socket() -> None:
    async def script() -> None:
        upstream = Upstream(is_held=True)
        stub = Stub(look, upstream)
        wire = asked("example.com.")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(stub.answer(wire, client=CLIENT, is_udp=True))
            await asyncio.sleep(0)
            again = group.create_task(stub.answer(wire, client=CLIENT, is_udp=True))
            as_dig_does = group.create_task(
                stub.answer(wire, client=(CLIENT[0], 4_001), is_udp=True)
            )
            await asyncio.sleep(0)
            upstream.go_on.set()

        assert first.result() == as_dig_does.result() == answered(wire)
        assert again.result() == b""
        assert len(upstream.asked) == 1
        assert stub.counted["repeated"] == 2

    run(script())


def test_one_source_cannot_keep_others_from_asking() -> None:
    async def script() -> None:
        upstream = Upstream(is_held=True)
        stub = Stub(look, upstream, limit=16)
        async with asyncio.TaskGroup() as group:
            many = [
                group.create_task(
                    stub.answer(asked("example.com."), client=("192.0.2.1", port), is_udp=True)
                )
                for port in range(100)
            ]
            await asyncio.sleep(0)
            own = await stub.answer(asked("bob.isp-b.ei."), client=OTHER, is_udp=True)
            other = group.create_task(stub.answer(asked("example.org."), client=OTHER, is_udp=True))
            await asyncio.sleep(0)
            upstream.go_on.set()

        assert records(read(own))
        assert other.result().endswith(b"says")
        refused = [task.result() for task in many if not task.result().endswith(b"says")]
        assert len(refused) == 92
        assert {read(wire).rcode() for wire in refused} == {Rcode.SERVFAIL}
        assert stub.counted["too_many"] == 92

    run(script())


def test_what_is_invented_is_not_asked() -> None:
    async def script() -> None:
        def invent(question: Question) -> Said | None:
            is_address = question.kind == RdataType.A
            said = Said(records=((RdataType.A, "198.18.0.1"),), ttl_s=1, is_own=False)
            return said if is_address else None

        upstream = Upstream()
        stub = Stub(look, upstream, invent=invent)

        invented = await stub.answer(asked("example.com.", "A"), client=CLIENT, is_udp=True)
        passed_on = await stub.answer(asked("example.com.", "MX"), client=CLIENT, is_udp=True)

        assert records(read(invented)) == ["example.com. 1 IN A 198.18.0.1"]
        assert passed_on.endswith(b"says")

    run(script())


@given(st.binary(max_size=200))
def test_whatever_comes_is_answered_or_counted(wire: bytes) -> None:
    async def script() -> None:
        stub = Stub(look, Upstream())

        answer = await stub.answer(wire, client=CLIENT, is_udp=True)

        assert answer[:2] in {b"", wire[:2]}
        assert sum(stub.counted.values()) == 1

    run(script())
