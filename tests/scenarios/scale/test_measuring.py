"""One size of the scale is measured from its beginning to its cuts."""

import pytest

from ei.scenarios.scale.measuring import measure, resident_bytes


@pytest.mark.slow
def test_an_internet_is_measured() -> None:
    measured = measure(25, seed=1, hosts_per_domain=2, cuts=2, has_memo=True)
    alone = measure(25, seed=1, hosts_per_domain=0, cuts=0, has_memo=False)

    assert measured.routes == alone.routes == 25 * 24
    assert measured.found == measured.hosts == measured.arrived == 50
    assert measured.arrived_after_cuts == 50
    assert measured.valleys == measured.refused == 0
    assert len(measured.cuts_s) == 2
    assert 0.0 < max(measured.cuts_s) <= 5.0
    assert alone.verified == measured.verified + measured.verified_before
    assert (alone.messages, alone.bytes) == (measured.messages, measured.bytes)
    assert measured.cpu_s > 0.0


def test_memory_is_what_is_in_use() -> None:
    before = resident_bytes()
    kept = bytearray(50_000_000)

    assert resident_bytes() - before > 40_000_000
    del kept
    assert resident_bytes() - before < 40_000_000
