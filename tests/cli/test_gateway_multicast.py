"""What `ei gateway multicast` takes; that it carries is said by the scenario's `test_native.py`."""

import argparse
import json

import msgspec
import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.cli.gateway_multicast import parse_from, parse_to, tell_multicast
from ei.cli.output import standard_output
from ei.ways.ip_multicast import Bridge


def test_a_bridge_is_named_by_both_ends() -> None:
    into = Bridge("news.isp-a", "239.1.2.3", 5_001, to_network=True)

    assert parse_to("news.isp-a=239.1.2.3:5001") == into
    assert parse_from("239.1.2.3:5001=news.isp-a") == msgspec.structs.replace(
        into, to_network=False
    )


@pytest.mark.parametrize("text", ["", "news.isp-a", "news.isp-a=239.1.2.3", "a=239.1.2.3:0"])
def test_what_is_no_bridge_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="nothing like news"):
        _ = parse_to(text)
    with pytest.raises(argparse.ArgumentTypeError, match="nothing like 239"):
        _ = parse_from(text)


def test_without_a_bridge_there_is_nothing_to_do(ei: Run) -> None:
    said = ei("gateway", "multicast")

    assert said.code == Exit.ERROR
    assert "--to or --from needed" in said.err


def test_its_status_says_what_went_through(capsys: pytest.CaptureFixture[str]) -> None:
    bridge = {"group": "news.isp-a", "address": "239.1.2.3", "port": 5_001, "to_network": True}
    row = {"bridge": bridge, "datagrams": 7, "too_long": 1, "refused": 0, "own": 2}

    told = tell_multicast({"name": "bob.isp-b", "bridges": [row]}, standard_output())

    expected = "news.isp-a → 239.1.2.3:5001: 7 datagrams, 1 too long, 0 not taken, 2 our own"
    assert expected in capsys.readouterr().out
    assert json.loads(json.dumps(told))["bridges"] == [row]
