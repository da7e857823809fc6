"""What receipts cost is measured of messages that all end as they should."""

import pytest

from ei.bench.receipts import receipts


@pytest.mark.slow
def test_a_message_with_its_receipt_is_compared_with_one_without() -> None:
    delivered, dropped = receipts(runs=1)

    assert delivered.status == dropped.status == "printed"
    assert delivered.baseline == dropped.baseline is not None
    # One run beside other programs says little of how much more a receipt costs.
    assert 0 < (delivered.ratio or 0) < (dropped.ratio or 0)
