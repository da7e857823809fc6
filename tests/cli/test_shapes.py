import msgspec

from ei.cli.shapes import LabStatus


def test_answers_may_grow() -> None:
    answer = {
        "schema": "ei.lab-status/1",
        "name": "default",
        "topology": "three",
        "daemons": [
            {"name": "sn1", "kind": "node", "state": "running", "pid": 7, "starts": 1, "new": 1},
        ],
        "links": [{"name": "a--b", "impairment": {"delay_ms": 1.0, "is_cut": False}, "offered": 3}],
    }

    status = msgspec.convert(answer, LabStatus)

    assert status.daemons[0].pid == 7
    assert status.links[0].offered == 3
    assert status.links[0].lost == 0
