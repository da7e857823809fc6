"""Awaited messages are bounded, and what is given up is gone."""

import pytest

from ei.errors import LimitError
from ei.host.messages import MAX_OPEN, Message, Messages
from ei.sdk import Address

BOB = Address(b"b" * 16)


def test_a_message_is_found_by_its_connection_until_it_is_closed() -> None:
    messages = Messages()
    message = Message(BOB, 1, 77)

    messages.open(message)

    assert messages.find(77) is message
    messages.close(message)
    messages.close(message)
    assert messages.find(77) is None


def test_no_more_than_so_many_are_awaited() -> None:
    messages = Messages()
    for number in range(MAX_OPEN):
        messages.open(Message(BOB, number, number))

    with pytest.raises(LimitError, match="16384 messages are awaited already"):
        messages.open(Message(BOB, 1, MAX_OPEN))
