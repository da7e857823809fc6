"""What a program is told when there is no circuit, or no stream."""

import pytest

from ei.errors import DeadlineError, DeniedError, EiError, StreamError, UnreachableError
from ei.runtime.loader import load_service
from ei.services.relay.client_streams import SENTENCES, error_of, expect, no_circuit
from ei.services.relay.messages import OPEN, Status


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("not_allowed", DeniedError),
        ("same_operator", DeniedError),
        ("unreachable", UnreachableError),
        ("deadline", DeadlineError),
        ("refused", StreamError),
        ("token_spent", StreamError),
    ],
)
def test_each_status_is_the_error_that_it_is_elsewhere(word: str, kind: type[EiError]) -> None:
    error = error_of(Status(word, "a sentence"))

    assert type(error) is kind
    assert str(error) == "a sentence"
    if isinstance(error, StreamError):
        assert error.kind == word


def test_what_is_open_is_no_error() -> None:
    assert expect(OPEN) is OPEN
    with pytest.raises(StreamError):
        _ = expect(Status("refused", "no"))


def test_every_reason_of_a_node_is_a_sentence() -> None:
    reasons = set(load_service("relay").manifest.drop_reasons) - {
        "unknown_circuit",
        "circuit_closed",
    }
    assert reasons <= set(SENTENCES)
    assert str(no_circuit("hop_lost")) == "a node on the way to the exit is gone"
    assert str(no_circuit("something_new")) == "there is no circuit: something_new"
