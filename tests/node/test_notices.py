"""What a node tells its shell are values, to be told apart by their class."""

from ei.node.notices import DatapathFailed, NodeNotice, PeerMoved, WorkerFailed
from ei.sdk.packets import Address

PEER = Address(b"p" * 16)


def text_of(notice: NodeNotice) -> str:
    match notice:
        case PeerMoved(name=name, is_up=is_up):
            return f"{name} {'up' if is_up else 'down'}"
        case WorkerFailed(service=service, kind=kind):
            return f"{service} {kind}"
        case DatapathFailed(reason=reason):
            return reason


def test_each_is_told_apart_and_equal_to_its_like() -> None:
    notices = [
        PeerMoved(PEER, "sn1.isp-a", is_up=True),
        WorkerFailed("echo", "worker_lost"),
        DatapathFailed("panic"),
    ]

    assert [text_of(notice) for notice in notices] == ["sn1.isp-a up", "echo worker_lost", "panic"]
    assert PeerMoved(PEER, "a", is_up=True) == PeerMoved(PEER, "a", is_up=True)
