"""What iperf3 says is read as it is meant."""

import pytest

from ei.errors import LocalError
from ei.scenarios.ways_in.iperf3 import client, transfer_of

REPORT = b'{"start": {}, "end": {"sum_received": {"bytes": %d, "bits_per_second": 8e6}}}'


def test_a_report_is_what_arrived() -> None:
    transfer = transfer_of(REPORT % 500_000_000, 4.0)

    assert transfer.mbit_s == 8.0
    assert transfer.cpu_s_per_gb == 8.0


@pytest.mark.parametrize("printed", [b"", b'{"error": "unable to connect"}', REPORT % 0])
def test_what_is_no_transfer_is_no_figure(printed: bytes) -> None:
    with pytest.raises(LocalError, match="iperf3"):
        _ = transfer_of(printed, 1.0)


def test_the_client_reports_in_json() -> None:
    assert client("bob.isp-b.ei", 5201)[-1] == "-J"
