"""The reference of the bounded table: who pays when it is full."""

from ei.sdk.decisions import Pass
from ei.sdk.packets import Address
from ei.testing.table_model import Entry, Key, Question, TableModel

ENTRY = Entry(Pass(), (), (), (), expires_ns=1, revision=0)


def key(holder: int, connection: int) -> Key:
    ingress = Address(bytes([holder]) * 16)
    return Key(None, 1, Question(16, ingress, ingress, connection, b""))


def filled(*keys: Key) -> TableModel:
    table = TableModel(entries=len(keys))
    for one in keys:
        table.insert(one, ENTRY)
    return table


def test_the_heaviest_holder_loses_its_oldest_entry() -> None:
    table = filled(key(1, 1), key(2, 1), key(2, 2))

    table.insert(key(1, 2), ENTRY)

    assert table.get(key(2, 1)) is None
    assert len(table) == 3


def test_among_equals_a_newcomer_pays_itself() -> None:
    table = filled(key(1, 1), key(2, 1))

    table.insert(key(1, 2), ENTRY)

    assert table.get(key(1, 1)) is None


def test_of_several_others_the_largest_address_pays() -> None:
    table = filled(key(1, 1), key(2, 1))

    table.insert(key(3, 1), ENTRY)

    assert table.get(key(2, 1)) is None


def test_a_new_answer_replaces_the_old_one_and_is_young() -> None:
    table = filled(key(1, 1), key(1, 2))

    table.insert(key(1, 1), ENTRY)
    table.insert(key(1, 3), ENTRY)

    assert table.get(key(1, 2)) is None
    assert table.get(key(1, 1)) is ENTRY


def test_a_table_of_size_0_keeps_nothing() -> None:
    table = TableModel(entries=0)

    table.insert(key(1, 1), ENTRY)

    assert len(table) == 0
