"""Reasons have words for counters."""

from ei.ways.mqtt.reasons import REFUSED, MqttError, Reason


def test_an_error_has_the_word_of_its_reason() -> None:
    error = MqttError("too much", Reason.QUOTA)

    assert (error.word, error.reason, str(error)) == ("quota", 0x97, "too much")
    assert MqttError("odd").reason is Reason.MALFORMED


def test_what_is_no_success_is_above_the_line() -> None:
    assert all(each.value >= REFUSED or each.value <= 0x11 for each in Reason)
