import msgspec

from ei.sdk import Compress, Decompress, Keep, Meter, Tally


def test_stages_are_arrays_that_start_with_their_tag() -> None:
    meter = Meter(b"m", rate_bytes_per_s=1, burst_bytes=2)

    assert msgspec.msgpack.encode(meter).hex() == "9400c4016d0102"
    assert msgspec.msgpack.encode(Tally(b"t")).hex() == "9201c40174"
    compress = Compress(b"d", dictionary=0x8001, ratio=100)
    assert msgspec.msgpack.encode(compress).hex() == "9402c40164cd800164"
    decompress = Decompress(b"d", ratio=100, limit_bytes=1_400)
    assert msgspec.msgpack.encode(decompress).hex() == "9403c4016464cd0578"
    assert msgspec.msgpack.encode(Keep(b"k", 2, 300)).hex() == "9404c4016b02cd012c"
