"""What the flow of the scenario counts."""

from ei.scenarios.cluster.flow import Flow


def test_what_was_sent_and_did_not_come_is_lost() -> None:
    assert Flow(sent=5, received=3).lost == 2
