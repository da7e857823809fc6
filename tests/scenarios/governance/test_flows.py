"""A flow counts what is sent to one node and what comes back; with a lab: `test_scenario.py`."""

from ei.scenarios.governance.flows import Flow


def test_a_flow_begins_with_nothing() -> None:
    assert Flow() == Flow(sent=0, answered=0, versions=set())
