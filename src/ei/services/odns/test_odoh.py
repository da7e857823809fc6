"""RFC 9230: its vectors, and what is changed on the way does not open."""

import json
from pathlib import Path
from typing import Any

import pytest

from ei.sdk.hpke import derive_key
from ei.services.odns.odoh import (
    QUERY,
    answering,
    configuration,
    open_answer,
    open_query,
    read_configs,
    read_query,
    seal_answer,
    seal_query,
    write_configs,
)

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[4] / "tests" / "vectors" / "odoh_rfc9230.json").read_text()
)
OWN = derive_key(b"k" * 32)
CONFIG = configuration(OWN[1])
NONCE = b"n" * 16


@pytest.mark.parametrize("vector", VECTORS)
def test_configurations_of_the_rfc_have_their_ids(vector: dict[str, Any]) -> None:
    (config,) = read_configs(bytes.fromhex(vector["odohconfigs"]))

    assert config.key_id.hex() == vector["key_id"]
    assert write_configs((config,)).hex() == vector["odohconfigs"]
    assert derive_key(bytes.fromhex(vector["public_key_seed"]))[1] == config.public_key


@pytest.mark.parametrize(
    ("seed", "transaction"),
    [(vector["public_key_seed"], each) for vector in VECTORS for each in vector["transactions"]],
)
def test_transactions_of_the_rfc(seed: str, transaction: dict[str, Any]) -> None:
    keys = derive_key(bytes.fromhex(seed))
    query = read_query(bytes.fromhex(transaction["obliviousQuery"]))
    response = bytes.fromhex(transaction["obliviousResponse"])
    nonce = response[3:19]

    dns, by = open_query(query, keys, nonce)
    length = len(transaction["response"]) // 2 + 4 + transaction["responsePaddingLength"]

    assert dns.hex() == transaction["query"]
    assert seal_answer(by, bytes.fromhex(transaction["response"]), plaintext_bytes=length) == (
        response
    )


def test_an_answer_comes_back_to_who_asked() -> None:
    message, asked = seal_query(CONFIG, b"question", plaintext_bytes=384, seed=b"s" * 32)

    dns, by = open_query(read_query(message), OWN, NONCE)
    answer = seal_answer(by, b"answer", plaintext_bytes=468)

    assert dns == b"question"
    assert open_answer(asked, answer) == b"answer"


def test_all_messages_of_one_padding_have_one_length() -> None:
    queries = [
        seal_query(CONFIG, b"q" * size, plaintext_bytes=384, seed=bytes((size % 256,)) * 32)[0]
        for size in range(1, 381, 20)
    ]
    _, by = open_query(read_query(queries[0]), OWN, NONCE)
    answers = [seal_answer(by, b"a" * size, plaintext_bytes=468) for size in (1, 12, 464)]

    assert {len(query) for query in queries} == {469}
    assert {len(answer) for answer in answers} == {505}


@pytest.mark.parametrize("at", [1, 2, 3, 20, 35, 36, 40, 70, 100, 468])
def test_a_query_of_which_a_byte_was_changed_does_not_open(at: int) -> None:
    message, _ = seal_query(CONFIG, b"question", plaintext_bytes=384, seed=b"s" * 32)
    changed = message[:at] + bytes((message[at] ^ 1,)) + message[at + 1 :]

    with pytest.raises(ValueError):  # noqa: PT011 why is for counters alone
        _ = open_query(read_query(changed), OWN, NONCE)


def test_an_answer_to_another_query_or_changed_does_not_open() -> None:
    first, asked = seal_query(CONFIG, b"question", plaintext_bytes=384, seed=b"s" * 32)
    _, other = seal_query(CONFIG, b"question", plaintext_bytes=384, seed=b"t" * 32)
    _, by = open_query(read_query(first), OWN, NONCE)
    answer = seal_answer(by, b"answer", plaintext_bytes=468)

    for opens, message in [
        (other, answer),
        (asked, answer[:-1]),
        (asked, answer[:-1] + bytes((answer[-1] ^ 1,))),
        (asked, answer[:5] + b"?" + answer[6:]),
        (asked, b""),
        (asked, first),
    ]:
        with pytest.raises(ValueError):  # noqa: PT011
            _ = open_answer(opens, message)


def test_a_query_to_another_key_does_not_open() -> None:
    message, _ = seal_query(CONFIG, b"question", plaintext_bytes=384, seed=b"s" * 32)
    others = derive_key(b"o" * 32)

    with pytest.raises(ValueError, match="does not open with this key"):
        _ = open_query(read_query(message), others, NONCE)


@pytest.mark.parametrize("length", [0, 1, 2, 30, 36, 40, 90])
def test_a_query_that_was_cut_is_none(length: int) -> None:
    message, _ = seal_query(CONFIG, b"question", plaintext_bytes=384, seed=b"s" * 32)

    with pytest.raises(ValueError):  # noqa: PT011
        _ = read_query(message[:length])


def test_something_in_the_padding_is_no_message() -> None:
    by = answering(seal_query(CONFIG, b"q", plaintext_bytes=0, seed=b"s" * 32)[1], NONCE)

    with pytest.raises(ValueError, match="type"):
        _ = read_query(seal_answer(by, b"a", plaintext_bytes=0))


def test_configurations_that_are_not_understood_are_left_out() -> None:
    ours = write_configs((CONFIG,))[2:]
    newer = b"\x00\x02" + ours[2:]
    other_suite = ours.replace(bytes.fromhex("002000010001"), bytes.fromhex("002000010002"))
    together = newer + other_suite + ours

    found = read_configs(len(together).to_bytes(2, "big") + together)

    assert found == (CONFIG,)
    with pytest.raises(ValueError, match="behind the end"):
        _ = read_configs(write_configs((CONFIG,)) + b"?")
    assert QUERY == 1
