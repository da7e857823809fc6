from tests.cli.conftest import Run

from ei.cli.exits import Exit


def test_an_error_code_is_explained(ei: Run) -> None:
    said = ei("help", "ei-1005")

    assert said.code == Exit.OK
    assert "Something is in the way" in said.out
    assert "Exit code 6." in said.out


def test_the_reason_of_a_drop_is_explained(ei: Run) -> None:
    assert "seen before" in ei("help", "replayed").out


def test_a_command_is_explained(ei: Run) -> None:
    assert "usage: ei decode" in ei("help", "decode").out


def test_an_unknown_topic_is_suggested(ei: Run) -> None:
    said = ei("help", "dekode")

    assert said.code == Exit.ERROR
    assert "did you mean decode" in said.err


def test_the_reason_of_a_drop_by_a_host_is_explained(ei: Run) -> None:
    assert "named no port within 5 s" in ei("help", "stream_without_port").out


def test_the_refusal_of_a_registry_is_explained(ei: Run) -> None:
    assert "has expired, and nothing newer is shown" in ei("help", "freeze").out


def test_what_became_of_a_packet_is_explained(ei: Run) -> None:
    assert "its service was asked" in ei("help", "missed").out


def test_the_reason_of_the_end_of_a_stream_is_explained(ei: Run) -> None:
    assert "wrote more than the window" in ei("help", "stream_overrun").out
    both = ei("help", "not_allowed").out
    assert "A packet dropped as not_allowed" in both
    assert "A stream closed as not_allowed" in both
