"""What is said of a failure, from what pytest says; `test_cases.py` runs the program itself."""

from ei.testing.apart import explained

CHAIN = """\
service.py:24: in on_packet
    packet = event.paket
E   AttributeError: 'PacketArrived' object has no attribute 'paket'

The above exception was the direct cause of the following exception:
test_service.py:14: in test_a_packet_comes_back
    (sent,) = play.packet("alice")
E   ei.errors.ServiceError: service_error: PacketArrived: AttributeError at service.py:24
"""


def test_of_a_chain_the_last_is_what_the_test_saw() -> None:
    assert explained(CHAIN) == (
        "test_service.py:14",
        "ServiceError: service_error: PacketArrived: AttributeError at service.py:24",
    )


def test_several_lines_stay_together() -> None:
    text = "test_it.py:3: in test_a\n    f()\nE   AssertionError: expected 1\nE       seen 2\n"

    assert explained(text) == ("test_it.py:3", "expected 1\nseen 2")


def test_what_has_no_place_says_its_last_line() -> None:
    assert explained("nothing was\n  collected\n") == ("", "  collected")
