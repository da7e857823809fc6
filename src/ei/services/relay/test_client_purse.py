"""What a host promises itself of the tokens it holds."""

from random import Random

import pytest

from ei.errors import IntegrityError, LimitError, PeerError
from ei.records.keys import make_keys
from ei.records.stating import state
from ei.services.relay import tokens
from ei.services.relay.admission import challenge_of
from ei.services.relay.client_purse import AT_ONCE, Batch, Purse, check_alike, key_stated
from ei.services.relay.messages import IssuerKeys, Signed, Validity, write_keys
from ei.testing import address

NODE_KEYS = make_keys(b"n" * 32)
ISSUER, EXIT, OTHER = NODE_KEYS.address(1), address("exit.2"), address("other.3")
SECRET = tokens.make_secret(Random(1))
KEY = tokens.key_of(SECRET)


def signed(batch: Batch, secret: bytes = SECRET) -> Signed:
    requests = batch.question(7).requests
    return Signed(7, tuple(tokens.sign(secret, each, Random(2)) for each in requests))


def stated(*keys: Validity, service: int = 68) -> IssuerKeys:
    said = state(NODE_KEYS, 1, service, write_keys(keys))
    return IssuerKeys(ISSUER, said.body, said.identity_key, said.signature)


def test_each_token_is_taken_once_and_good_at_the_exit_it_was_drawn_for() -> None:
    purse = Purse(Random(3))
    batch = purse.draw(ISSUER, KEY, EXIT)
    purse.put(batch, signed(batch))

    taken = [purse.take(ISSUER, KEY, EXIT) for _ in range(AT_ONCE + 1)]

    assert taken[-1] is None
    assert len(set(taken)) == AT_ONCE + 1
    assert purse.take(ISSUER, KEY, OTHER) is None
    challenge = challenge_of(ISSUER, EXIT, tokens.key_id(KEY))
    for token in filter(None, taken):
        tokens.check_token(tokens.read_token(token), KEY, challenge)


def test_a_quota_that_is_over_says_who_could_raise_it() -> None:
    purse = Purse(Random(3))

    with pytest.raises(LimitError, match="before the hour is over") as error:
        purse.put(purse.draw(ISSUER, KEY, EXIT), Signed(7, word="quota"))

    assert "tokens_per_hour" in error.value.remedy


@pytest.mark.parametrize(
    "answer", [Signed(7, word="no_key"), Signed(7), Signed(7, (bytes(256),) * AT_ONCE)]
)
def test_what_is_not_signed_or_badly_is_an_error_and_no_token(answer: Signed) -> None:
    purse = Purse(Random(3))

    with pytest.raises(PeerError):
        purse.put(purse.draw(ISSUER, KEY, EXIT), answer)

    assert purse.take(ISSUER, KEY, EXIT) is None


def test_what_is_no_key_is_never_blinded_for() -> None:
    with pytest.raises(PeerError, match="the node's key for tokens"):
        _ = Purse(Random(3)).draw(ISSUER, b"junk", EXIT)


def test_tokens_that_are_good_no_more_are_thrown_away() -> None:
    purse = Purse(Random(3))
    batch = purse.draw(ISSUER, KEY, EXIT)
    purse.put(batch, signed(batch))

    purse.forget(ISSUER, KEY, EXIT)

    assert purse.take(ISSUER, KEY, EXIT) is None


def test_the_key_is_the_first_that_is_good_for_a_while() -> None:
    late, good = Validity(b"late", 1_030), Validity(b"good", 2_000)

    assert key_stated(stated(late, good), ISSUER, 1_000.0) == good
    with pytest.raises(PeerError, match="all at their end"):
        _ = key_stated(stated(late), ISSUER, 1_000.0)
    with pytest.raises(PeerError, match="all at their end"):
        _ = key_stated(stated(), ISSUER, 1_000.0)


def test_what_another_node_or_service_says_is_no_key() -> None:
    good = Validity(b"good", 2_000)

    for said, issuer in ((stated(good), EXIT), (stated(good, service=66), ISSUER)):
        with pytest.raises(IntegrityError, match="not signed by the node in use"):
            _ = key_stated(said, issuer, 1_000.0)


def test_a_key_that_the_exit_was_not_told_of_marks_this_host() -> None:
    check_alike(KEY, (b"other", tokens.key_id(KEY)))

    with pytest.raises(IntegrityError, match="another key for tokens than it told the exit"):
        check_alike(KEY, (b"other",))
