"""An answer is read as HTTP says it."""

from ei.scenarios.caching.fetching import Answer, answer_of


def test_an_answer_is_status_head_and_body() -> None:
    said = b"HTTP/1.1 206 Partial Content\r\nage: 3\r\n\r\nbody\r\n\r\n"

    assert answer_of(said) == Answer(206, "HTTP/1.1 206 Partial Content\r\nage: 3", b"body\r\n\r\n")
