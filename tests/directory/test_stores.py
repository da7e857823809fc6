"""A store in memory gives back what it was given."""

from ei.directory import MemoryStore
from ei.sdk.packets import Address

HOST = Address(b"h" * 16)


def test_a_later_envelope_takes_the_place_of_an_earlier_one() -> None:
    store = MemoryStore([b"first"])
    store.keep(HOST, b"1")
    store.keep(HOST, b"2")
    store.commit()

    assert list(store.load()) == [b"first", b"2"]
    store.forget(HOST)
    store.forget(HOST)
    assert list(store.load()) == [b"first"]
    assert repr(store) == "<MemoryStore of 1 attachments>"
