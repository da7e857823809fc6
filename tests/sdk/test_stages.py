import msgspec

from ei.sdk import Meter, Tally


def test_stages_are_arrays_that_start_with_their_tag() -> None:
    meter = Meter(b"m", rate_bytes_per_s=1, burst_bytes=2)

    assert msgspec.msgpack.encode(meter).hex() == "9400c4016d0102"
    assert msgspec.msgpack.encode(Tally(b"t")).hex() == "9201c40174"
