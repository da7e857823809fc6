"""What iperf3 and /proc say is read as it is meant."""

import pytest

from ei.errors import LocalError
from ei.scenarios.ways_in.bulk import client, ticks_of, transfer_of, used_s

REPORT = b'{"start": {}, "end": {"sum_received": {"bytes": %d, "bits_per_second": 8e6}}}'
STAT = "71 (a (b) c) S 1 71 70 0 -1 0 0 0 0 0 200 50 9 9 20 0 1 0"


def test_a_report_is_what_arrived() -> None:
    transfer = transfer_of(REPORT % 500_000_000, 4.0)

    assert transfer.mbit_s == 8.0
    assert transfer.cpu_s_per_gb == 8.0


@pytest.mark.parametrize("printed", [b"", b'{"error": "unable to connect"}', REPORT % 0])
def test_what_is_no_transfer_is_no_figure(printed: bytes) -> None:
    with pytest.raises(LocalError, match="iperf3"):
        _ = transfer_of(printed, 1.0)


def test_time_counts_for_a_process_and_for_its_session() -> None:
    assert ticks_of(71, STAT, {71}) == 250
    assert ticks_of(71, STAT, {70}) == 250
    assert ticks_of(71, STAT, {1, 69}) == 0


def test_time_only_grows() -> None:
    assert 0 <= used_s(()) <= used_s(())


def test_the_client_reports_in_json() -> None:
    assert client("bob.isp-b.ei", 5201)[-1] == "-J"
