"""The remembering control forgets nothing and offers all that a datapath control does."""

from ei.node.datapath import DatapathControl
from ei.node.remembering import RememberingControl


def test_commands_are_kept_in_order_and_notices_are_handed_out_once() -> None:
    memory = RememberingControl()
    control: DatapathControl = memory
    memory.notices = [("peer_up", b"p")]
    memory.traces = [(1, b"s", 16, 2, "cached", "forwarded", 3, [16], b"")]

    control.add_peer(b"a", b"k", kind="host")
    control.dial(b"a")
    control.set_guards(b"a", [1])
    control.remove_service(7)
    control.set_internet(["0.0.0.0/0:443"])
    control.set_stream_peer(b"a", b"i")
    control.remove_peer(b"a")

    assert [command[0] for command in memory.commands] == [
        "add_peer",
        "dial",
        "set_guards",
        "remove_service",
        "set_internet",
        "set_stream_peer",
        "remove_peer",
    ]
    assert list(control.take_notices()) == [("peer_up", b"p")]
    assert list(control.take_notices()) == []
    assert len(control.take_traces()) == 1
    assert control.statistics() == {}
