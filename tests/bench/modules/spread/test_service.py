"""What spread promises, as scripts of events."""

from ei.bench.indoors import MODULES
from ei.sdk import Forward, InstallDecision
from ei.testing.playbook import Playbook, address


def test_as_many_others_get_a_copy_as_are_asked_for() -> None:
    play = Playbook(MODULES / "spread", peers=["alice", "bob", "carol"])

    install, *_ = play.packet("alice", metadata=b"\0\2")

    assert isinstance(install, InstallDecision)
    assert isinstance(install.decision.action, Forward)
    assert {hop.to for hop in install.decision.action.hops} == {address("bob"), address("carol")}
