"""What is said on an admin socket survives the way, errors included."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ei.daemons.messages import Request, answer_of, encode_line, parse_answer, parse_request
from ei.errors import DeadlineError, EiError, LimitError, LocalError, PeerError, StreamError


def test_a_request_is_a_verb_and_its_arguments() -> None:
    assert parse_request(b'{"verb": "ping", "to": "bob"}\n') == Request("ping", {"to": "bob"})


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b'{"to": 1}\n', b'{"verb": 1}\n', b"\xff\n"])
def test_what_is_no_request_is_refused(line: bytes) -> None:
    with pytest.raises(PeerError):
        _ = parse_request(line)


@pytest.mark.parametrize(
    "error",
    [
        DeadlineError("within 2 s there was no echo", remedy="wait"),
        LimitError("too long"),
        StreamError("the peer closed", kind="closed"),
    ],
)
def test_an_error_comes_out_as_what_it_was(error: EiError) -> None:
    line = encode_line(answer_of(error))

    with pytest.raises(type(error)) as caught:
        _ = parse_answer(line)

    assert (str(caught.value), caught.value.remedy) == (str(error), error.remedy)
    assert getattr(caught.value, "kind", "") == getattr(error, "kind", "")


def test_an_error_of_an_unknown_kind_is_still_an_error() -> None:
    line = json.dumps({"schema": "ei.error/1", "kind": "annotations", "cause": "x"}).encode()

    with pytest.raises(LocalError, match="x"):
        _ = parse_answer(line)


@given(st.binary(max_size=100))
def test_any_bytes_are_an_answer_or_refused(line: bytes) -> None:
    try:
        answer = parse_answer(line)
    except EiError:
        return
    assert isinstance(answer["schema"], str)


def test_a_deeply_nested_line_is_refused() -> None:
    with pytest.raises(PeerError):
        _ = parse_request(b'{"verb": ' + b"[" * 100_000)
