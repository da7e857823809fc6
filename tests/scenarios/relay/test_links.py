"""Tokens cannot be linked to their issue; where a flaw links them, it is found."""

from random import Random

import pytest

from ei.scenarios.relay.links import CHALLENGE, issue, link_of, links_of_fresh_tokens
from ei.services.relay.blind_rsa import PublicKey, draw_factor
from ei.services.relay.tokens import blinded_by, key_of, make_secret, modulus_of
from ei.testing.linking import CERTAIN

SECRET = make_secret(Random(1))
KEY = key_of(SECRET)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_ten_thousand_tokens_cannot_be_linked_to_their_issue() -> None:
    assert links_of_fresh_tokens(10_000, Random(1)).deviation < CERTAIN


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flaw", "seen", "shown"),
    [
        ("not blinded", "answer", "signature"),
        ("square factors", "symbol of blinded", "symbol of encoded"),
        ("one factor for all", "symbol of blinded", "symbol of encoded"),
        ("counted nonces", "order", "nonce"),
    ],
)
def test_a_flaw_that_links_is_found(flaw: str, seen: str, shown: str) -> None:
    random = Random(1)
    public = PublicKey(modulus_of(KEY))
    same = draw_factor(public, random)
    issued = []

    for number in range(500):
        drawn = draw_factor(public, random)
        flawed = {
            "not blinded": 1,
            "square factors": drawn * drawn % public.n,
            "one factor for all": same,
        }
        counted = number.to_bytes(32, "big")
        asked = blinded_by(
            KEY,
            CHALLENGE,
            nonce=counted if flaw == "counted nonces" else random.randbytes(32),
            salt=random.randbytes(48),
            factor=flawed.get(flaw, drawn),
        )
        issued.append(issue(SECRET, asked, random))
    link = link_of(issued)

    assert link[:2] == (seen, shown)
    assert link.deviation > CERTAIN
