"""What a handshake costs who is asked."""

from ei.bench.handshake import handshake_with


def test_the_responder_is_measured_beside_one_x25519_and_without_ml_kem_too() -> None:
    cost, classical, whole = handshake_with(runs=1, handshakes=3)

    assert (cost.runs, classical.limit, whole.limit) == (1, 4_000.0, 2_500.0)
    assert cost.baseline is not None
    assert cost.measured > cost.baseline > 0
    assert round(cost.measured * classical.measured / 1e6) == 1
    assert whole.measured < classical.measured
