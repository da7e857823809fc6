"""Questions by two operators: what comes back answers what was asked, or nothing does."""

import asyncio
import struct

import pytest

from ei.errors import DeniedError, IntegrityError
from ei.services.odns.client import ObliviousResolver
from ei.services.odns.test_client import UNIX_S, Far
from ei.services.odns.test_service import DNS, OTHER, TARGET, answer_to, target
from ei.ways.dns_messages import Question, read_question
from ei.ways.dns_oblivious import Oblivious, cut, taken_bytes
from ei.ways.dns_stub import Stub
from ei.ways.dns_zone import Looked

OPT = b"\0" + struct.pack("!HHIH", 41, 1_400, 0, 0)
QUESTION = b"\0\7" + DNS[2:]


def question_of(wire: bytes) -> Question:
    question = read_question(wire)
    assert isinstance(question, Question)
    return question


def told(far: Far, *, is_udp: bool = True) -> bytes:
    async def run() -> bytes:
        async with asyncio.TaskGroup() as group:
            resolver = ObliviousResolver(
                far, choose=lambda _: TARGET, unix_s=lambda: UNIX_S, group=group
            )
            return await Oblivious(resolver)(question_of(QUESTION), is_udp=is_udp)

    return asyncio.run(run())


def test_an_answer_has_the_number_of_its_question() -> None:
    assert told(Far(target())) == b"\0\7" + answer_to(DNS)[2:]
    assert told(Far(target()), is_udp=False) == b"\0\7" + answer_to(DNS)[2:]


class _Misled(ObliviousResolver):
    """Seals another question than it was given, so that the target answers another name."""

    async def ask(self, question: bytes, *, is_long: bool = False) -> bytes:
        del question
        return await super().ask(OTHER, is_long=is_long)


def test_an_answer_to_another_name_is_none() -> None:
    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            misled = _Misled(
                Far(target()), choose=lambda _: TARGET, unix_s=lambda: UNIX_S, group=group
            )
            with pytest.raises(IntegrityError, match="target answers something else"):
                _ = await Oblivious(misled)(question_of(QUESTION), is_udp=True)

    asyncio.run(run())


def test_over_udp_an_answer_is_cut_at_what_the_asker_takes() -> None:
    far = Far(target())
    far.says = lambda question: answer_to(question, size=1_000)

    answer = told(far)

    assert answer == cut(question_of(QUESTION), b"\0\7" + answer_to(DNS)[2:])
    assert answer[2] & 2
    assert len(answer) == len(DNS)


def test_what_an_asker_takes_is_in_its_options() -> None:
    assert taken_bytes(DNS) == 512
    assert taken_bytes(DNS[:11] + b"\1" + DNS[12:] + OPT) == 1_400


def test_nobody_is_asked_in_the_clear_and_the_asker_is_told_why() -> None:
    async def look(_: object) -> Looked:
        raise AssertionError

    async def run() -> bytes:
        def none(_: object) -> bytes:
            raise DeniedError("sn1 and sn2 are both run by acme")

        async with asyncio.TaskGroup() as group:
            resolver = ObliviousResolver(
                Far(target()), choose=none, unix_s=lambda: UNIX_S, group=group
            )
            stub = Stub(look, Oblivious(resolver))
            wire = QUESTION[:11] + b"\1" + QUESTION[12:] + OPT
            return await stub.answer(wire, client=("127.0.0.1", 9), is_udp=True)

    answer = asyncio.run(run())

    assert answer[3] & 15 == 2
    assert b"both run by acme" in answer
