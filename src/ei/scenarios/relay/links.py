"""Whether the issuer of tokens can tell whose they are when they are shown.

It has requests and answers, in order; who takes tokens has their nonces and signatures, and may be
in league with it. Each number of one is held against each of the other by `ei.testing.linking`.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import gmpy2

from ei.services.relay.blind_rsa import EXPONENT
from ei.services.relay.tokens import (
    Asked,
    Challenge,
    ask,
    finish,
    key_of,
    make_secret,
    modulus_of,
    read_token,
    sign,
)
from ei.testing.linking import Link, strongest_link

CHALLENGE = Challenge("issuer.example", bytes(32), "node.example")


class Issued(NamedTuple):
    """One token's way: what was asked, what was answered, what is shown."""

    asked: Asked
    answer: bytes
    token: bytes


def links_of_fresh_tokens(tokens: int, random: Random) -> Link:
    """Issue that many tokens by a new key and return the strongest link. 10,000 take 20 s."""
    secret = make_secret(random)
    key = key_of(secret)
    return link_of([issue(secret, ask(key, CHALLENGE, random), random) for _ in range(tokens)])


def issue(secret: bytes, asked: Asked, random: Random) -> Issued:
    """Return what became of a request."""
    answer = sign(secret, asked.request, random)
    return Issued(asked, answer, finish(asked, answer))


def link_of(issued: Sequence[Issued]) -> Link:
    """Return the strongest link between issue and show, of tokens by one key in order of issue.

    Besides the numbers themselves: what was signed, which a signature shows, and of it and of what
    was blinded whether it is a square modulo n as far as one can see (Jacobi's symbol): a bit that
    a factor changes every other time, unless it is a square itself.
    """
    n = modulus_of(issued[0].asked.key)
    blinded = [int.from_bytes(one.asked.request[3:], "big") for one in issued]
    shown = [read_token(one.token) for one in issued]
    signatures = [int.from_bytes(token.signature, "big") for token in shown]
    encoded = [int(gmpy2.powmod(signature, EXPONENT, n)) for signature in signatures]
    return strongest_link(
        {
            "order": list(range(len(issued))),
            "blinded": blinded,
            "answer": [int.from_bytes(one.answer, "big") for one in issued],
            "symbol of blinded": [(1 + gmpy2.jacobi(number, n)) // 2 for number in blinded],
        },
        {
            "nonce": [int.from_bytes(token.nonce, "big") for token in shown],
            "signature": signatures,
            "encoded": encoded,
            "symbol of encoded": [(1 + gmpy2.jacobi(number, n)) // 2 for number in encoded],
        },
    )
