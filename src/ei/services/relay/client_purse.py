"""The pure half of a host's relay: tokens in store, and whether an issuer deals with all alike."""

from collections import deque
from dataclasses import dataclass
from random import Random

from ei.errors import IntegrityError, LimitError, PeerError
from ei.sdk import Address, NodeStatement
from ei.services.relay.admission import challenge_of
from ei.services.relay.forwarding import RELAY
from ei.services.relay.messages import IssuerKeys, Sign, Signed, Validity, read_keys
from ei.services.relay.tokens import Asked, TokenError, ask, finish, key_id

AT_ONCE = 4
"""Tokens that are signed together: more than one, so that when one is shown says less."""
MARGIN_S = 60.0
"""A key is not used in its last seconds."""
MOST_KEYS = 64


@dataclass(frozen=True, slots=True)
class Batch:
    """Tokens that the issuer has not signed yet."""

    issuer: Address
    exit: Address
    key: bytes
    asked: tuple[Asked, ...]

    def question(self, number: int) -> Sign:
        """Return what to send."""
        return Sign(number, tuple(each.request for each in self.asked))


class Purse:
    """Tokens, by issuer, key and the exit that they are good at.

    Args:
        random: Fit for keys.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._tokens: dict[tuple[Address, bytes, Address], deque[bytes]] = {}

    def __repr__(self) -> str:
        return f"<Purse {sum(map(len, self._tokens.values()))} tokens>"

    def take(self, issuer: Address, key: bytes, exit_node: Address) -> bytes | None:
        """Return a token, which is in the purse no more."""
        tokens = self._tokens.get((issuer, key, exit_node))
        return tokens.popleft() if tokens else None

    def draw(
        self, issuer: Address, key: bytes, exit_node: Address, *, count: int = AT_ONCE
    ) -> Batch:
        """Return tokens to be signed.

        Raises:
            PeerError: The key is none.
        """
        challenge = challenge_of(issuer, exit_node, key_id(key))
        try:
            asked = tuple(ask(key, challenge, self._random) for _ in range(count))
        except TokenError as error:
            raise PeerError(f"the node's key for tokens: {error}", word=error.word) from error
        return Batch(issuer, exit_node, key, asked)

    def put(self, batch: Batch, signed: Signed) -> None:
        """Keep what the issuer has signed.

        Raises:
            LimitError: It signs no more for this host now.
            PeerError: It has not, or otherwise than by its key.
        """
        if signed.word == "quota":
            raise LimitError(
                "the node in use signs no more tokens for this host before the hour is over",
                remedy="Its operator sets tokens_per_hour in [config.relay].",
            )
        if signed.word or len(signed.answers) != len(batch.asked):
            said = signed.word or f"{len(signed.answers)} answers"
            raise PeerError(f"the node signs no tokens for this host: {said}", word=signed.word)
        try:
            tokens = [
                finish(asked, answer)
                for asked, answer in zip(batch.asked, signed.answers, strict=True)
            ]
        except TokenError as error:
            raise PeerError(f"the node signs no good tokens: {error}", word=error.word) from error
        name = (batch.issuer, batch.key, batch.exit)
        while len(self._tokens) >= MOST_KEYS and name not in self._tokens:
            del self._tokens[next(iter(self._tokens))]
        self._tokens.setdefault(name, deque()).extend(tokens)

    def forget(self, issuer: Address, key: bytes, exit_node: Address) -> None:
        """Throw tokens away that are good no more."""
        _ = self._tokens.pop((issuer, key, exit_node), None)


def key_stated(stated: IssuerKeys, issuer: Address, unix_s: float) -> Validity:
    """Return the key by which an issuer signs now, as its node has stated.

    Raises:
        IntegrityError: That node did not sign it.
        PeerError: There is no key in it that is good for long enough.
    """
    said = NodeStatement(issuer, RELAY, stated.body, stated.identity_key, stated.signature)
    if stated.issuer != issuer or not said.is_true():
        raise IntegrityError("the keys for tokens are not signed by the node in use")
    try:
        keys = read_keys(stated.body)
    except ValueError as error:
        raise PeerError(f"the node's keys for tokens: {error}") from error
    for each in keys:
        if each.end_unix_s > unix_s + MARGIN_S:
            return each
    raise PeerError("the node's keys for tokens are all at their end")


def check_alike(key: bytes, known: tuple[bytes, ...]) -> None:
    """Make sure that an exit was told the same key by the issuer as this host.

    Args:
        known: Names of the keys that the exit knows.

    Raises:
        IntegrityError: It was not: a key for one host alone marks what that host shows.
    """
    if key_id(key) not in known:
        raise IntegrityError(
            "the node in use has told this host another key for tokens than it told the exit: by"
            " a key of its own this host could be known again",
            remedy="Use another node, and tell the operator of this one.",
        )
