"""What the sizes promise fits the pipes; `test_stack` sends it."""

import pytest

from ei.errors import LimitError
from ei.host.sizes import MIN_PACKET_BYTES, check_room, largest_payload, largest_sealed


@pytest.mark.parametrize(
    ("max_datagram_bytes", "metadata_bytes", "allowed"),
    [
        (1_452, 0, 1_280),
        (1_452, 92, 1_280),
        (1_452, 93, 1_264),
        (1_452, 255, 1_104),
        (MIN_PACKET_BYTES, 32, 1_248),
        (65_000, 255, 1_280),
    ],
)
def test_metadata_and_small_pipes_leave_less_for_payloads(
    max_datagram_bytes: int, metadata_bytes: int, allowed: int
) -> None:
    assert largest_payload(max_datagram_bytes, metadata_bytes) == allowed


@pytest.mark.parametrize(
    ("max_datagram_bytes", "allowed"),
    [(1_452, 1_280), (1_420, 1_280), (1_419, 1_279), (MIN_PACKET_BYTES, 1_220)],
)
def test_what_hosts_may_rely_on_is_kept_from_1420_bytes_on(
    max_datagram_bytes: int, allowed: int
) -> None:
    assert largest_sealed(max_datagram_bytes) == allowed


@pytest.mark.parametrize(
    ("payload_bytes", "metadata_bytes", "said"),
    [(1_281, 0, "1281 B beside 0 B of metadata; allowed are 1280"), (0, 256, "allowed are 255 B")],
)
def test_what_has_no_room_is_refused_with_what_is_allowed(
    payload_bytes: int, metadata_bytes: int, said: str
) -> None:
    with pytest.raises(LimitError, match=said):
        check_room([b"x", bytes(payload_bytes)], bytes(metadata_bytes), 1_452)
