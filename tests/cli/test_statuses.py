import msgspec

from ei.cli.statuses import counts, overflows, reasons
from ei.node.status import NodeStatus


def test_reasons_are_counted_the_largest_first() -> None:
    assert reasons({"replayed": 2, "bad_seal": 30, "too_big": 0}) == "30 bad_seal, 2 replayed"
    assert reasons({}) == "0"


def test_a_bound_that_was_hit_is_said_and_others_are_not() -> None:
    quiet = NodeStatus(
        name="sn1.isp-a", address="fd35::1", domain="isp-a", received=0, forwarded=0, delivered=0,
        consumed=0, missed=0, dropped={}, services=(), peers=(), refused_records={},
    )  # fmt: skip

    [said] = overflows(msgspec.structs.replace(quiet, socket_overflows=12))

    assert said.startswith("12 datagrams never received: the kernel's buffer was full")
    assert list(overflows(quiet)) == []


def test_what_never_happened_is_left_out() -> None:
    assert counts({"echo": 2, "datagram": 0}) == "2 echo"
    assert counts({"echo": 0}) == "nothing"
