from ei.runtime.holds import Holds
from ei.runtime.state import digest_of
from ei.runtime.stores import MemoryStore
from ei.runtime.timers import Timers
from ei.runtime.undo import UndoLog
from ei.sdk import Address, AttachmentOf
from ei.testing.toys import toy_packet

NOBODY = Address(b"n" * 16)


class State:
    """All that a service keeps."""

    def __init__(self) -> None:
        undo = UndoLog()
        self.stable, self.ephemeral = (MemoryStore(limit_bytes=1_000) for _ in range(2))
        self.timers, self.holds = Timers(undo), Holds(undo)
        self.stable.begin(1.0, undo)
        self.ephemeral.begin(1.0, undo)

    def digest(self) -> str:
        return digest_of(self.stable, self.ephemeral, self.timers, self.holds)


def test_equal_states_have_one_digest() -> None:
    assert State().digest() == State().digest()
    assert len(State().digest()) == 64


def test_whatever_is_kept_changes_it() -> None:
    state = State()
    digests = [state.digest()]

    state.stable.put(b"key", b"value")
    digests.append(state.digest())
    state.ephemeral.put(b"key", b"value")
    digests.append(state.digest())
    state.timers.set(b"key", 2.0)
    digests.append(state.digest())
    state.timers.set(b"key", 3.0)
    digests.append(state.digest())
    _ = state.holds.add(toy_packet(), AttachmentOf(NOBODY), deadline_s=2.0, times=1, origin=0)
    digests.append(state.digest())

    assert len(set(digests)) == len(digests)


def test_the_order_of_writing_does_not() -> None:
    one, other = State(), State()

    for key in (b"a", b"b"):
        one.stable.put(key, b"")
    for key in (b"b", b"a"):
        other.stable.put(key, b"")

    assert one.digest() == other.digest()
