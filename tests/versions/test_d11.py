"""D11: nodes and hosts of this version and of the one before work together, in any mixture.

What a peer of no version that we know says is refused and counted: `reserved_values_are_refused_and
counted` in `pipes/silence.rs`, `unknown_suites_beside_ours_are_passed_over` in `handshake.rs`.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest
from tests.versions.conftest import HOSTS, NODES, ROOT, Internet, until

from ei.scenarios.drain.scenario import GAP_LIMIT_MS, LATE_LIMIT_MS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the native module may have to be built

SOME_NODES = ("sn2.isp-a", "sn1.isp-b")
SOME_HOSTS = ("carol.isp-a", "bob.isp-b")
PAIRS = dict(zip(HOSTS, (*HOSTS[2:], *HOSTS[:2]), strict=True))
"""Each host and one of the other domain, of the other version."""
RATE_PPS = 50.0
VISITED = {"outcomes": {"delivered": 10}, "is_whole": True}

Start = Callable[[Mapping[str, Path]], Internet]


class Report(msgspec.Struct):
    """What a talking host says of its flow, and of the one that came."""

    accepted: list[int]
    confirmed: list[int]
    arrived: dict[str, list[int]]
    gap_s: float
    late_s: float


def trees_with(previous: Path, *old: str) -> dict[str, Path]:
    """Return the tree of each node and host: the previous one of those named, of others ours."""
    return {name: previous if name in old else ROOT for name in (*NODES, *HOSTS)}


@pytest.mark.parametrize(
    "old", [NODES, HOSTS, SOME_NODES + SOME_HOSTS], ids=["nodes", "hosts", "some of each"]
)
def test_d11_all_pairs_talk_whichever_nodes_and_hosts_are_of_the_version_before(
    previous: Path, start_internet: Start, old: tuple[str, ...]
) -> None:
    trees = trees_with(previous, *old)

    internet = start_internet(trees)

    assert internet.trees() == trees
    for shift in range(1, len(HOSTS)):
        to = dict(zip(HOSTS, HOSTS[shift:] + HOSTS[:shift], strict=True))
        assert internet.tell_all("visit", to) == dict.fromkeys(HOSTS, VISITED)


def test_d11_nodes_are_replaced_one_by_one_up_and_down_and_nothing_is_lost(
    previous: Path, start_internet: Start, record_property: Callable[[str, object], None]
) -> None:
    internet = start_internet(trees_with(previous, *NODES, *SOME_HOSTS))

    assert all(internet.tell_all("flow", PAIRS, rate_pps=RATE_PPS).values())
    for tree in (ROOT, previous):
        for name in NODES:
            internet.replace(name, tree)
            assert internet.trees()[name] == tree
            assert internet.tell_all("visit", PAIRS) == dict.fromkeys(HOSTS, VISITED)
    assert all(internet.tell_all("stop", PAIRS).values())

    def reports() -> dict[str, Report]:
        return msgspec.convert(internet.tell_all("report", PAIRS), dict[str, Report])

    def lost() -> dict[str, list[int]]:
        said = reports()
        return {
            name: sorted({*each.accepted, *each.confirmed} - {*said[PAIRS[name]].arrived[name]})
            for name, each in said.items()
        }

    until(lambda: not any(lost().values()), "all that was accepted has arrived")
    said = reports().values()
    gap_ms = round(max(each.gap_s for each in said) * 1e3)
    late_ms = round(max(each.late_s for each in said) * 1e3)
    confirmed = sum(len(each.confirmed) for each in said)
    line = f"{confirmed} receipts, 0 lost, gap {gap_ms} ms, hosts late by {late_ms} ms"
    record_property("versions up and down", line)
    sys.stdout.write(f"{line}\n")
    assert confirmed
    # A machine that keeps the hosts themselves from running is no figure of the nodes.
    assert gap_ms <= GAP_LIMIT_MS or late_ms > LATE_LIMIT_MS
