"""What the sizes promise fits the pipes; `test_stack` sends it."""

import pytest

from ei.host.sizes import MIN_PACKET_BYTES, largest_payload, largest_sealed


@pytest.mark.parametrize(
    ("max_datagram_bytes", "metadata_bytes", "allowed"),
    [
        (1_452, 0, 1_280),
        (1_452, 92, 1_280),
        (1_452, 93, 1_264),
        (1_452, 255, 1_104),
        (MIN_PACKET_BYTES, 16, 1_232),
        (65_000, 255, 1_280),
    ],
)
def test_metadata_and_small_pipes_leave_less_for_payloads(
    max_datagram_bytes: int, metadata_bytes: int, allowed: int
) -> None:
    assert largest_payload(max_datagram_bytes, metadata_bytes) == allowed


@pytest.mark.parametrize(
    ("max_datagram_bytes", "allowed"),
    [(1_452, 1_280), (1_404, 1_280), (1_403, 1_279), (MIN_PACKET_BYTES, 1_204)],
)
def test_what_hosts_may_rely_on_is_kept_from_1404_bytes_on(
    max_datagram_bytes: int, allowed: int
) -> None:
    assert largest_sealed(max_datagram_bytes) == allowed
