"""In which order a subscriber has what was retained and what is told meanwhile."""

import asyncio

from ei.errors import DeadlineError
from ei.sdk import Address
from ei.services.pubsub.client_subscriptions import Message, Position, Subscription
from ei.services.pubsub.messages import Follow

EAST, WEST = Address(b"e" * 16), Address(b"w" * 16)


def kept(data: bytes, unix_s: float, log: Address, *, is_retained: bool = False) -> Message:
    """Return a message of a log."""
    return Message(
        "a", data, EAST, position=Position(log, 0), unix_s=unix_s, is_retained=is_retained
    )


def received(*messages: Message) -> list[bytes]:
    """Return what a subscriber has after these came, and all that was retained."""

    async def program() -> list[bytes]:
        follow = Follow(1, "a", credit=1, queue=10, is_retained=True)
        subscription = Subscription(follow, kept=True, reached=lambda *_: None)
        for message in messages:
            subscription.tell(message)
        subscription.show_retained()
        found: list[bytes] = []
        try:
            while True:
                found.append((await subscription.receive(deadline_s=0.01)).data)
        except DeadlineError:
            return found

    return asyncio.run(program())


def test_what_is_newer_takes_the_place_of_what_was_retained_before() -> None:
    old = kept(b"old", 1.0, EAST, is_retained=True)
    new = kept(b"new", 2.0, WEST)

    assert received(old, new) == [b"new"]
    assert received(new, old) == [b"new"]


def test_what_comes_as_a_packet_is_newer_than_what_is_retained() -> None:
    old = kept(b"old", 1.0, EAST, is_retained=True)

    assert received(old, Message("a", b"live", EAST)) == [b"live"]


def test_of_older_history_what_is_retained_is_the_last_word() -> None:
    old = kept(b"old", 1.0, EAST)
    retained = kept(b"retained", 2.0, WEST, is_retained=True)

    assert received(old, retained) == [b"old", b"retained"]
    assert received(retained, old) == [b"old", b"retained"]
