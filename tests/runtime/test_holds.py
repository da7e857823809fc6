from ei.runtime.holds import (
    MAX_BYTES,
    MAX_BYTES_PER_SOURCE,
    MAX_PACKETS_PER_QUERY,
    Held,
    Holds,
)
from ei.runtime.undo import UndoLog
from ei.sdk import Address, AttachmentOf, Connection, Packet, PacketArrived, Query

QUERY = AttachmentOf(Address(b"q" * 16))
OTHER = AttachmentOf(Address(b"o" * 16))


def arrived(
    source: str = "s", *, ingress: str | None = None, payload_bytes: int = 0, number: int = 0
) -> PacketArrived:
    return PacketArrived(
        Packet(
            16,
            Address((ingress or source).encode().ljust(16)),
            Address(source.encode().ljust(16)),
            Connection(number),
            payload=bytes(payload_bytes),
        )
    )


def hold(
    holds: Holds,
    event: PacketArrived,
    query: Query = QUERY,
    *,
    deadline_s: float = 1.0,
    times: int = 1,
) -> tuple[Held, list[Held]]:
    return holds.add(event, query, deadline_s=deadline_s, times=times, origin=0)


def test_packets_come_back_in_the_order_in_which_they_came() -> None:
    holds = Holds(UndoLog())
    for number in (3, 1, 2):
        _ = hold(holds, arrived(number=number))
    _ = hold(holds, arrived(number=9), OTHER)

    released = holds.release(QUERY)

    assert [held.event.packet.connection for held in released] == [3, 1, 2]
    assert not holds.is_waiting_for(QUERY)
    assert holds.is_waiting_for(OTHER)


def test_nothing_comes_back_for_what_nobody_waits_for() -> None:
    assert Holds(UndoLog()).release(QUERY) == []


def test_a_packet_that_waited_too_long_is_let_go() -> None:
    holds = Holds(UndoLog())
    _ = hold(holds, arrived(number=1), deadline_s=2.0)
    _ = hold(holds, arrived(number=2), deadline_s=1.0)
    _ = hold(holds, arrived(number=3), deadline_s=9.0)

    expired = holds.take_expired(2.0)

    assert [held.event.packet.connection for held in expired] == [2, 1]
    assert len(holds) == 1
    assert holds.next_deadline_s() == 9.0


def test_no_deadline_is_left_of_packets_that_came_back() -> None:
    holds = Holds(UndoLog())
    _ = hold(holds, arrived())
    _ = holds.release(QUERY)

    assert holds.next_deadline_s() is None


def test_a_query_holds_so_many_packets_and_no_more() -> None:
    holds = Holds(UndoLog())
    for number in range(MAX_PACKETS_PER_QUERY):
        _, pushed_out = hold(holds, arrived(f"s{number}"))
        assert not pushed_out

    held, pushed_out = hold(holds, arrived("one more"))

    assert pushed_out == [held]
    assert len(holds) == MAX_PACKETS_PER_QUERY


def test_a_source_holds_so_many_bytes_and_no_more() -> None:
    holds = Holds(UndoLog())
    half_bytes = MAX_BYTES_PER_SOURCE // 2
    _ = hold(holds, arrived("greedy", payload_bytes=half_bytes))

    held, pushed_out = hold(holds, arrived("greedy", payload_bytes=half_bytes), OTHER)
    _, other_pushed_out = hold(holds, arrived("modest", payload_bytes=half_bytes), OTHER)

    assert pushed_out == [held]
    assert not other_pushed_out


def test_when_all_is_full_the_pipe_that_holds_most_gives_way() -> None:
    holds = Holds(UndoLog())
    queries = [AttachmentOf(Address(bytes([number] * 16))) for number in range(40)]
    _ = hold(holds, arrived("modest", payload_bytes=1_000))
    last = None
    for number, query in enumerate(queries):
        source = arrived(f"s{number}", ingress="heavy", payload_bytes=60_000)
        held, pushed_out = hold(holds, source, query)
        if pushed_out:
            break
        last = held

    # The heaviest pipe is at the bound: what it adds falls out, what others add pushes it out.
    assert last is not None
    assert pushed_out == [held]
    _, pushed_out = hold(holds, arrived("another", payload_bytes=60_000))
    assert pushed_out == [last]
    assert len(holds.release(QUERY)) == 2
    assert len(holds) == MAX_BYTES // 60_256 - 1


def test_a_packet_is_held_twice_at_most() -> None:
    holds = Holds(UndoLog())

    assert hold(holds, arrived(), times=2)[1] == []
    held, pushed_out = hold(holds, arrived(), times=3)

    assert pushed_out == [held]


def test_what_an_event_did_to_holds_can_be_taken_back() -> None:
    undo = UndoLog()
    holds = Holds(undo)
    _ = hold(holds, arrived(number=1))
    _ = hold(holds, arrived(number=2))
    mark = len(undo.steps)
    _ = holds.release(QUERY)
    _ = hold(holds, arrived(number=3), OTHER)

    undo.undo_to(mark)

    assert not holds.is_waiting_for(OTHER)
    assert [held.event.packet.connection for held in holds.release(QUERY)] == [1, 2]


def test_packets_that_come_and_go_leave_no_more_than_a_few_deadlines() -> None:
    undo = UndoLog()
    holds = Holds(undo)
    for number in range(1_000):
        _ = hold(holds, arrived(number=number), deadline_s=float(number))
        _ = holds.release(QUERY)

    assert holds.waste() < 100
    assert len(holds) == 0
    assert repr(holds) == f"<Holds 0 packets 0/{MAX_BYTES} B>"
