"""What a host does with what comes back: from a real target, by proxies that do what they like."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ei.errors import (
    DeadlineError,
    DeniedError,
    EiError,
    IntegrityError,
    LocalError,
    UnreachableError,
)
from ei.host.deadlines import within
from ei.records.keys import make_keys
from ei.sdk import Address, DropPacket, HoldPacket, Operator, OwnStatement, Record
from ei.services.odns.client import ObliviousResolver
from ei.services.odns.messages import KEYS_WANTED, is_wanted_anew, keys, pass_on, refused
from ei.services.odns.test_service import (
    DNS,
    NODE,
    OTHER,
    TARGET,
    answer_to,
    framed,
    heard,
    reached,
    sent,
    target,
    told,
)
from ei.testing import Playbook, address, state

UNIX_S = 0.0
PROXY, SPARE = address("border.1"), address("spare.3")


class Far:
    """A target, and what is between.

    Attributes:
        play: The target.
        says: What its resolver says to a question.
        change: What becomes of payloads on their way back.
        asked: How many payloads went there.
        wishes: Of these the ones for keys: whether others than the proxy's.
        is_silent: Nothing comes back any more.
    """

    def __init__(self, play: Playbook) -> None:
        self.play = play
        self.says: Callable[[bytes], bytes] = answer_to
        self.change: Callable[[bytes], bytes] = lambda payload: payload
        self.asked = 0
        self.wishes: list[bool] = []
        self.is_silent = False

    async def exchange(self, target: Address, payload: bytes, *, wait_s: float) -> bytes:
        self.asked += 1
        if payload[0] == KEYS_WANTED:
            self.wishes.append(is_wanted_anew(payload))
        if target != TARGET:
            return refused("no_resolver")
        effects = reached(self.play, payload, connection=self.asked)
        if self.is_silent:
            async with within(wait_s, "answer"):
                _ = await asyncio.Event().wait()
        while isinstance(effects[-1], HoldPacket):
            query = effects[-1].until
            said: Record = Operator(1, "isp-a", is_own=False)
            if isinstance(query, OwnStatement):
                said = state(NODE, 2, 66, query.body)
            effects = self.play.resolve(query, said)
        if effects[-1] == DropPacket("asked"):
            port, question = heard(self.play)
            effects = told(port, self.says(question))
        return self.change(sent(effects).packet.payload)

    async def exchange_long(self, target: Address, payload: bytes, *, wait_s: float) -> bytes:
        assert (target, wait_s > 0) == (TARGET, True)
        near = self.play.open_stream("border.1", pass_on(TARGET, PROXY))
        _ = near.write(framed(payload))
        resolver = self.play.far_end(near.stream | 1)
        _ = resolver.accept()
        _ = resolver.write(framed(self.says(resolver.read()[2:])))
        return self.change(near.read()[2:])

    def name_of(self, node: Address) -> str:
        return "target" if node == TARGET else "spare"

    @property
    def proxy_name(self) -> str:
        return "proxy"


def asking(
    far: Far, ask: Callable[[ObliviousResolver], Awaitable[bytes]], *choices: Address
) -> bytes:
    """Ask as a host with these targets, the first one first."""

    def choose(failed: frozenset[Address]) -> Address:
        left = [each for each in choices or (TARGET,) if each not in failed]
        if not left:
            raise DeniedError("no other target")
        return left[0]

    async def run() -> bytes | EiError:
        async with asyncio.TaskGroup() as group:
            resolver = ObliviousResolver(far, choose=choose, unix_s=lambda: UNIX_S, group=group)
            try:
                return await ask(resolver)
            except EiError as error:  # a group would wrap it
                return error

    answer = asyncio.run(run())
    if isinstance(answer, EiError):
        raise answer
    return answer


def once(resolver: ObliviousResolver) -> Awaitable[bytes]:
    return resolver.ask(DNS)


def why(far: Far, *choices: Address) -> EiError:
    with pytest.raises(EiError) as caught:
        _ = asking(far, once, *choices)
    return caught.value


def test_an_answer_comes_back_and_keys_are_asked_for_once() -> None:
    far = Far(target())

    async def thrice(resolver: ObliviousResolver) -> bytes:
        return b"".join([await resolver.ask(b"\0\7" + DNS[2:]) for _ in range(3)])

    assert asking(far, thrice) == answer_to(DNS) * 3
    assert far.asked == 4


def test_a_long_answer_is_asked_for_by_a_stream() -> None:
    far = Far(target())
    far.says = lambda question: answer_to(question, size=5_000)

    assert asking(far, once) == answer_to(DNS, size=5_000)


def test_keys_that_changed_in_between_are_asked_for_again() -> None:
    far = Far(target(keys_s=1.0, overlap_s=1.0, socket_s=1_000.0))

    async def later(resolver: ObliviousResolver) -> bytes:
        first = await resolver.ask(DNS)
        _ = far.play.advance(10.0)
        return first + await resolver.ask(DNS)

    assert asking(far, later) == answer_to(DNS) * 2
    assert far.wishes == [False, True]


def test_what_a_proxy_rewrites_is_no_answer() -> None:
    far = Far(target())
    far.change = lambda payload: payload[:-1] + b"?" if payload[0] == 2 else payload

    assert isinstance(trouble := why(far), IntegrityError)
    assert "by proxy is not what the target sealed" in str(trouble)


def test_keys_that_the_target_has_not_signed_are_none() -> None:
    far = Far(target())
    others = make_keys(b"others" * 6)

    theirs = keys(state(others, 2, 66, b"\x92\xce\xff\xff\xff\xff\xc4\2\0\0"))
    far.change = lambda _: theirs

    assert isinstance(why(far), IntegrityError)
    assert far.asked == 1


def test_an_old_answer_again_is_no_answer() -> None:
    far, kept = Far(target()), list[bytes]()

    def again(payload: bytes) -> bytes:
        kept.append(payload)
        return kept[1] if len(kept) > 1 else payload

    far.change = again

    async def twice(resolver: ObliviousResolver) -> bytes:
        _ = await resolver.ask(DNS)
        return await resolver.ask(DNS)

    with pytest.raises(IntegrityError):
        _ = asking(far, twice)


def test_a_target_that_asks_nobody_is_left_for_another() -> None:
    far = Far(target())

    assert asking(far, once, SPARE, TARGET) == answer_to(DNS)
    assert isinstance(why(far, SPARE), DeniedError)


def test_what_the_target_does_not_reach_is_tried_again_and_then_told() -> None:
    far = Far(
        Playbook("odns", node=TARGET, peers=["border.1"], config={"resolver": "192.0.2.1:53"})
    )
    _ = reached(far.play, bytes((KEYS_WANTED,)))
    far.change = lambda payload: refused("resolver_lost") if payload[0] == 2 else payload
    working = Far(target())
    working.change = far.change

    assert isinstance(trouble := why(working), UnreachableError)
    assert str(trouble) == "target does not reach its resolver"
    assert working.asked == 4


@pytest.mark.slow
def test_without_a_word_it_gives_up_in_time() -> None:
    far = Far(target())

    async def never(resolver: ObliviousResolver) -> bytes:
        _ = await resolver.ask(DNS)
        far.is_silent = True
        return await resolver.ask(DNS)

    with pytest.raises(DeadlineError):
        _ = asking(far, never)


def test_what_is_no_question_stays_here() -> None:
    far = Far(target())

    with pytest.raises(LocalError, match="ends too early"):
        _ = asking(far, lambda resolver: resolver.ask(OTHER[:20]))
    assert far.asked == 0
