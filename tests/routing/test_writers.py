"""Messages are filled to what a control message holds, and no further."""

from ei.routing.messages import MAX_ENTRIES, MAX_MESSAGE_BYTES, Update, write_message
from ei.routing.writers import Batch, BatchWriter, Saying


def saying(key: int, size_bytes: int) -> Saying:
    return Saying(key.to_bytes(4, "big"), lambda: bytes(size_bytes))


def sizes(batches: list[Batch[int]]) -> list[int]:
    return [
        len(
            write_message(
                Update(
                    2**32 - 1,
                    announced=tuple(announced for _, announced in each.announced),
                    withdrawn=tuple(each.withdrawn),
                )
            )
        )
        for each in batches
    ]


def test_announcements_that_do_not_fit_begin_another_message() -> None:
    writer = BatchWriter[int](lambda key: saying(key, 20_480))

    for key in range(10):
        assert writer.announce(key) == 20_480

    assert [len(each.announced) for each in writer.batches] == [3, 3, 3, 1]
    assert max(sizes(writer.batches)) <= MAX_MESSAGE_BYTES


def test_small_entries_are_bounded_by_their_number_and_size() -> None:
    writer = BatchWriter[int](lambda _: None)

    for key in range(2**32 - 10_000, 2**32):
        _ = writer.withdraw(key)

    assert max(len(each.withdrawn) for each in writer.batches) <= MAX_ENTRIES
    assert max(sizes(writer.batches)) <= MAX_MESSAGE_BYTES


def test_what_else_the_first_message_carries_has_its_place() -> None:
    writer = BatchWriter[int](lambda key: saying(key, 20_480), reserved_bytes=30_000)

    for key in range(2):
        _ = writer.announce(key)

    assert [len(each.announced) for each in writer.batches] == [1, 1]


def test_what_there_is_no_more_is_withdrawn() -> None:
    writer = BatchWriter[int](lambda _: None)

    assert writer.digest(7) is None
    _ = writer.announce(7)

    assert writer.batches[0].withdrawn == [7]
