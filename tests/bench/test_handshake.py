"""What a handshake costs who is asked."""

from ei.bench.handshake import handshake_with


def test_the_responder_is_measured_beside_one_x25519() -> None:
    cost, rate = handshake_with(runs=1, handshakes=3)

    assert (cost.runs, rate.runs, rate.limit) == (1, 1, 4_000.0)
    assert cost.baseline is not None
    assert cost.measured > cost.baseline > 0
    assert round(cost.measured * rate.measured / 1e6) == 1
