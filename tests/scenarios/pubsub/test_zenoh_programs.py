"""Zenoh's programs, where it is installed."""

import pytest

from ei.scenarios.pubsub.zenoh_programs import main


def test_an_unknown_role_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("sing") == 2
    assert "router, publish, subscribe allowed" in capsys.readouterr().out
