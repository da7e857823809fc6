"""What issuer and exit promise.

host ── FIRST ═══ EXIT ── server            P: the host's pseudonym at the exit
"""

from random import Random

import pytest

from ei.records.keys import make_keys
from ei.sdk import (
    Address,
    Count,
    Effect,
    Legacy,
    Meter,
    Node,
    NodeAt,
    NodeStatement,
    Operator,
    OperatorOf,
    OwnStatement,
    Resolve,
    Route,
    RouteTo,
    SendControl,
    SpliceStreams,
)
from ei.services.relay import tokens
from ei.services.relay.admission import challenge_of
from ei.services.relay.messages import (
    LENGTH_BYTES,
    OPEN,
    Admission,
    AskKeys,
    IssuerKeys,
    KeysOf,
    Opening,
    Sign,
    Signed,
    Status,
    To,
    Validity,
    grant_of_token,
    read_keys,
    read_status,
    write_keys,
    write_opening,
    write_status,
)
from ei.testing import FarEnd, Playbook, address, state

FIRST_KEYS, EXIT_KEYS = make_keys(b"f" * 32), make_keys(b"e" * 32)
FIRST, EXIT = FIRST_KEYS.address(1), EXIT_KEYS.address(2)
P = address("p")
SERVER = Legacy("www.example.org", 443)
SECRET = tokens.make_secret(Random(1))
KEY = tokens.key_of(SECRET)
HOUR_S = 3_600.0


def at_exit(*, is_told: bool = True, **config: object) -> Playbook:
    """Return an exit that knows who runs the first node's domain, and its keys if it asks."""
    play = Playbook("relay", node=EXIT, peers=[FIRST], config=config)
    _ = know(play)
    return learn(play) if is_told else play


def know(play: Playbook) -> Playbook:
    """Let the exit know who runs the first node's domain, what that is, and the way to it."""
    _ = play.resolve(OperatorOf(1), Operator(1, "acme", is_own=False))
    _ = play.resolve(RouteTo(1), Route((FIRST,)))
    _ = play.resolve(NodeAt(FIRST), Node(FIRST, (68,)))
    return play


def learn(play: Playbook) -> Playbook:
    """Let the exit ask the issuer for its keys."""
    _ = ask_for_keys(play)
    _ = play.control(FIRST, keys_of_issuer(play))
    return play


def ask_for_keys(play: Playbook) -> FarEnd:
    return play.open_stream(P, write_opening(KeysOf(FIRST, tokens.key_id(KEY))))


def keys_of_issuer(
    play: Playbook, *keys: bytes, lasts_s: float = HOUR_S, by: bytes = b"f" * 32
) -> IssuerKeys:
    """Return what the issuer states."""
    validities = tuple(Validity(key, int(unix_s(play) + lasts_s)) for key in keys or (KEY,))
    said = state(make_keys(by), 1, 68, write_keys(validities))
    return IssuerKeys(FIRST, said.body, said.identity_key, said.signature)


def unix_s(play: Playbook) -> float:
    return play.now_s


def token(number: int = 0, *, secret: bytes = SECRET, exit_node: Address = EXIT) -> bytes:
    """Return a token, as host and issuer make it."""
    random, key = Random(number), tokens.key_of(secret)
    challenge = challenge_of(FIRST, exit_node, tokens.key_id(key))
    asked = tokens.ask(key, challenge, random)
    return tokens.finish(asked, tokens.sign(secret, asked.request, random))


def answer_of(end: FarEnd) -> Status:
    said = end.read()
    assert int.from_bytes(said[:LENGTH_BYTES], "little") == len(said) - LENGTH_BYTES
    return read_status(said[LENGTH_BYTES:])


def say(play: Playbook, opening: Opening, peer: Address = P) -> Status:
    """Open a stream and return the one thing that is said on it."""
    end = play.open_stream(peer, write_opening(opening))
    status = answer_of(end)
    assert (end.is_ended, end.closed) == (True, "closed")
    return status


def admitted(play: Playbook, number: int = 0, peer: Address = P) -> Playbook:
    assert say(play, Admission(FIRST, token(number)), peer).word == ""
    return play


def carried(
    play: Playbook, target: Legacy = SERVER, *, peer: Address = P, number: int = 0
) -> tuple[FarEnd, FarEnd]:
    """Ask for a server, for a token that was shown; return both other ends."""
    host = play.open_stream(peer, write_opening(To(target, grant_of_token(token(number)))))
    return host, play.far_end(host.stream | 1)


def to_server(number: int = 0) -> To:
    return To(SERVER, grant_of_token(token(number)))


def messages(effects: tuple[Effect, ...]) -> list[tuple[object, Address]]:
    return [(each.message, each.to) for each in effects if isinstance(each, SendControl)]


# -- streams --------------------------------------------------------------------------------------


def test_who_shows_a_token_is_carried_and_bytes_go_both_ways() -> None:
    play = admitted(at_exit())
    host, server = carried(play)
    _ = host.write(b"before anybody answered")
    assert server.to == SERVER

    _ = server.accept()
    _ = server.write(b"hello")

    assert server.read() == b"before anybody answered"
    assert host.read() == write_status(OPEN) + b"hello"
    _ = server.end()
    _ = host.end()
    assert (host.closed, server.closed) == ("ended", "ended")


def test_all_streams_of_a_token_share_one_meter_and_those_of_two_do_not() -> None:
    play = at_exit(token_bytes_per_s=1_000, token_burst_bytes=10)
    other = address("q")
    _ = admitted(admitted(play, 1), 2, other)

    meters: list[Meter | None] = []
    for peer, number in ((P, 1), (P, 1), (other, 2)):
        _, server = carried(play, peer=peer, number=number)
        meters += [each.meter for each in server.accept() if isinstance(each, SpliceStreams)]

    assert meters[0] is not None
    assert (meters[0].rate_bytes_per_s, meters[0].burst_bytes) == (1_000, 10)
    assert meters[0] == meters[1] != meters[2]


def test_datagrams_are_carried_as_well() -> None:
    play = admitted(at_exit())

    _, server = carried(play, Legacy("192.0.2.1", 53, "udp"))

    assert server.to == Legacy("192.0.2.1", 53, "udp")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("refused", "www.example.org:443 accepts no connection"),
        ("unreachable", "does not reach www.example.org:443, or finds no address of that name"),
        ("not_allowed", "does not allow www.example.org:443"),
        ("deadline", "www.example.org:443 has not answered within 10 s"),
        ("too_many_streams", "carries as many streams as it may"),
        ("lost", "www.example.org:443 has ended: lost"),
    ],
)
def test_who_asked_is_told_why_not_and_no_more(reason: str, said: str) -> None:
    play = admitted(at_exit())
    host, server = carried(play)

    _ = server.refuse(reason)

    status = answer_of(host)
    assert status.word == reason
    assert said in status.detail
    assert (host.is_ended, host.closed) == (True, "closed")


def test_without_a_token_nothing_is_carried() -> None:
    assert say(at_exit(), to_server()).word == "not_admitted"


def test_who_has_seen_the_circuits_packets_alone_is_carried_nowhere() -> None:
    play = admitted(at_exit())

    assert say(play, To(SERVER)).word == "not_admitted"
    assert say(play, To(SERVER, bytes(16))).word == "not_admitted"
    assert say(play, to_server(), address("q")).word == "not_admitted"


def test_after_its_time_a_token_carries_nothing_new_and_another_does() -> None:
    play = admitted(at_exit(token_s=60.0))
    host, server = carried(play)
    _ = server.accept()
    assert host.read()

    _ = play.advance(61.0)

    assert say(play, to_server()).word == "token_over"
    _ = server.write(b"still")
    assert host.read() == b"still"
    _ = admitted(know(play), 1)
    _, server = carried(play, number=1)
    assert server.to == SERVER


def test_streams_at_once_are_counted_until_they_end() -> None:
    play = admitted(at_exit(token_streams=2))
    host, server = carried(play)
    _ = server.accept()
    _, second = carried(play)
    assert say(play, to_server()).word == "too_many_streams"

    _ = second.refuse("refused")
    _ = host.reset()

    assert server.closed
    for _ in range(2):
        _, server = carried(play)
        assert server.to == SERVER


def test_who_gives_up_leaves_nothing_open() -> None:
    play = admitted(at_exit())
    host, server = carried(play)

    _ = host.reset()

    assert server.closed == "closed"


def test_a_server_that_breaks_in_the_middle_breaks_the_stream() -> None:
    play = admitted(at_exit())
    host, server = carried(play)
    _ = server.accept()

    _ = server.reset()

    assert host.closed == "reset"


@pytest.mark.parametrize("opening", [b"", b"\x92\x07\x02", b"\x92\x02\x93\xa0\x00\xa3tcp", b"\xc1"])
def test_what_is_no_opening_is_refused_with_what_is_wrong(opening: bytes) -> None:
    end = at_exit().open_stream(P, opening)

    status = answer_of(end)
    assert status.word == "bad_opening"
    assert status.detail.startswith("not an opening of the relay")


# -- tokens ---------------------------------------------------------------------------------------


def test_a_token_is_good_once_also_for_others_and_after_a_crash() -> None:
    play = admitted(at_exit())

    assert say(play, Admission(FIRST, token(0))).word == "token_spent"
    assert say(play, Admission(FIRST, token(0)), address("q")).word == "token_spent"
    play.restart()
    assert say(learn(know(play)), Admission(FIRST, token(0))).word == "token_spent"
    _ = admitted(play, 1)


def test_a_worker_that_forgot_everything_wants_another_token() -> None:
    play = admitted(at_exit())

    play.restart()

    assert say(learn(know(play)), to_server()).word == "not_admitted"


@pytest.mark.parametrize(
    ("shown", "word"),
    [
        (token(3, exit_node=FIRST), "token_elsewhere"),
        (token(3)[:-1] + b"\0", "bad_signature"),
        (token(3)[:2] + bytes(32) + token(3)[34:], "bad_signature"),
        (token(3)[:-1], "bad_token"),
        (b"", "bad_token"),
        (b"\x00\x01" + token(3)[2:], "bad_type"),
    ],
)
def test_what_is_no_good_token_has_a_word_of_its_own(shown: bytes, word: str) -> None:
    play = at_exit()

    status = say(play, Admission(FIRST, shown))

    assert (status.word, bool(status.detail)) == (word, True)
    assert say(play, to_server()).word == "not_admitted"


def test_tokens_of_a_key_are_good_until_its_end() -> None:
    play = admitted(at_exit())

    _ = play.advance(HOUR_S + 1.0)
    _ = know(play)

    assert say(play, Admission(FIRST, token(1))).word == "old_key"
    assert say(play, Admission(FIRST, token(0))).word == "old_key"


@pytest.mark.parametrize(("of_a_key", "of_all"), [(1, 9), (9, 1)])
def test_only_so_many_tokens_are_taken(of_a_key: int, of_all: int) -> None:
    play = admitted(at_exit(tokens_per_key=of_a_key, tokens=of_all))

    assert say(play, Admission(FIRST, token(1))).word == "too_many_tokens"


def test_open_admission_asks_for_no_token_but_for_another_operator() -> None:
    play = at_exit(is_told=False, admission="open")
    assert say(play, Admission(FIRST, token(0))).word == ""

    _, server = carried(play)

    assert server.to == SERVER


def test_a_host_that_comes_without_a_first_node_is_refused() -> None:
    play = at_exit()
    _ = play.peer_up("alice.7")

    assert say(play, Admission(FIRST, token()), address("alice.7")).word == "no_first_node"


def test_a_first_node_of_the_same_operator_is_refused_here_too() -> None:
    play = at_exit()
    _ = play.resolve(OperatorOf(9), Operator(9, "own", is_own=True))

    assert say(play, Admission(FIRST, token()), address("p.9")).word == "same_operator"
    assert say(play, Admission(FIRST, token()), address("p.2")).word == "same_operator"


def test_who_runs_the_first_node_is_asked_and_the_stream_waits() -> None:
    play = Playbook("relay", node=EXIT, peers=[FIRST], config={"admission": "open"})

    end = play.open_stream(P, write_opening(Admission(FIRST, b"")))
    assert Resolve(OperatorOf(1)) in end.effects
    _ = play.resolve(OperatorOf(1), Operator(1, "acme", is_own=False))

    assert answer_of(end).word == ""


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    play = Playbook("relay", node=EXIT, peers=[FIRST])
    end = play.open_stream(P, write_opening(Admission(FIRST, token())))

    _ = play.advance(3.0)

    assert answer_of(end).word == "unknown_operator"
    assert play.statistics().ephemeral.used_bytes < 200


# -- the issuer's keys ----------------------------------------------------------------------------


def test_the_exit_asks_the_issuer_and_not_the_host() -> None:
    play = at_exit(is_told=False)

    end = ask_for_keys(play)
    assert messages(end.effects) == [(AskKeys(FIRST, 15), FIRST)]
    _ = play.control(FIRST, keys_of_issuer(play))

    assert answer_of(end).keys == (tokens.key_id(KEY),)


@pytest.mark.parametrize("issuer", [address("alice"), address("node.7")])
def test_an_issuer_is_a_node_of_the_circuits_domain(issuer: Address) -> None:
    play = at_exit()
    _ = play.resolve(NodeAt(issuer), None)

    assert say(play, KeysOf(issuer, b"")).word == "unknown_issuer"
    assert say(play, Admission(issuer, token())).word == "unknown_issuer"


@pytest.mark.slow
def test_many_who_wait_for_the_same_keys_are_answered_in_turns() -> None:
    play = at_exit(is_told=False)
    ends = [ask_for_keys(play) for _ in range(700)]

    _ = play.control(FIRST, keys_of_issuer(play))
    _ = play.advance(0.1)

    assert all(answer_of(end).keys == (tokens.key_id(KEY),) for end in ends)


def test_an_issuer_that_tells_of_one_key_after_the_other_is_believed_no_more() -> None:
    play, keys = at_exit(), [tokens.key_of(tokens.make_secret(Random(each))) for each in (7, 8, 9)]
    for key in keys:
        _ = play.advance(2.0)
        end = play.open_stream(P, write_opening(KeysOf(FIRST, tokens.key_id(key))))
        _ = play.control(FIRST, keys_of_issuer(play, key))

    names = answer_of(end).keys

    assert tokens.key_id(KEY) in names
    assert tokens.key_id(keys[2]) not in names


def test_a_key_that_is_not_known_is_asked_for_once_and_then_refused() -> None:
    play = at_exit()
    other = tokens.make_secret(Random(2))
    _ = play.advance(2.0)
    shown = write_opening(Admission(FIRST, token(1, secret=other)))

    end = play.open_stream(P, shown)
    assert messages(end.effects) == [(AskKeys(FIRST, 15), FIRST)]
    _ = play.control(FIRST, keys_of_issuer(play))

    assert answer_of(end).word == "unknown_key"
    again = play.open_stream(P, shown)
    assert answer_of(again).word == "unknown_key"
    assert messages(again.effects) == []


def test_a_key_that_is_new_is_taken_as_soon_as_the_issuer_says_it() -> None:
    play = at_exit()
    other = tokens.make_secret(Random(2))
    _ = play.advance(2.0)

    end = play.open_stream(P, write_opening(Admission(FIRST, token(1, secret=other))))
    _ = play.control(FIRST, keys_of_issuer(play, tokens.key_of(other), KEY))

    assert answer_of(end).word == ""
    assert admitted(play, 0, address("q")), "tokens of the key before are good as well"


def test_what_the_issuer_did_not_sign_teaches_nothing() -> None:
    play = at_exit(is_told=False)
    end = ask_for_keys(play)

    effects = play.control(FIRST, keys_of_issuer(play, by=b"x" * 32))
    assert Count("bad_statement") in effects
    assert Count("bad_statement") in play.control(
        FIRST, keys_of_issuer(play, lasts_s=1_000_000_000)
    )
    _ = play.advance(3.0)

    assert answer_of(end).word == "no_keys"


def test_what_nobody_asked_for_is_not_learned() -> None:
    play = at_exit(is_told=False)

    _ = play.control(FIRST, keys_of_issuer(play))

    end = ask_for_keys(play)
    assert messages(end.effects) == [(AskKeys(FIRST, 15), FIRST)]


def test_a_node_between_asks_on_and_passes_the_answer_back() -> None:
    play = Playbook("relay", peers=["east.3", "west.4"])
    _ = play.resolve(RouteTo(1), Route((address("west.4"),)))
    issuer = make_keys(b"i" * 32).address(4)
    _ = play.resolve(RouteTo(4, came_from=3), Route((address("west.4"),)))

    effects = play.control("east.3", AskKeys(issuer, 15))

    assert messages(effects) == [(AskKeys(issuer, 14), address("west.4"))]
    said = state(make_keys(b"i" * 32), 4, 68, write_keys((Validity(KEY, int(unix_s(play)) + 9),)))
    answer = IssuerKeys(issuer, said.body, said.identity_key, said.signature)
    assert messages(play.control("west.4", answer)) == [(answer, address("east.3"))]
    assert messages(play.control("west.4", answer)) == []


def test_a_question_that_goes_round_ends() -> None:
    play = Playbook("relay", peers=["east.3", "west.4"])
    _ = play.resolve(RouteTo(4, came_from=3), Route((address("west.4"),)))

    assert messages(play.control("east.3", AskKeys(address("x.4"), 0))) == []


def test_questions_that_wait_are_bounded() -> None:
    play = Playbook("relay", peers=["east.3"], config={"asks_per_peer": 1})
    _ = play.control("east.3", AskKeys(address("x.4")))

    assert play.control("east.3", AskKeys(address("y.4"))) == (Count("too_many_asks"),)
    _ = play.advance(3.0)
    assert Count("too_many_asks") not in play.control("east.3", AskKeys(address("y.4")))


# -- the issuer -----------------------------------------------------------------------------------


def issuer(**config: object) -> Playbook:
    """Return a first node with a key, as soon as somebody asked for it."""
    return Playbook("relay", node=FIRST, peers=["alice", "bob"], config=config)


def stated(play: Playbook, effects: tuple[Effect, ...]) -> list[tuple[object, Address]]:
    """Let the node sign what its service asks for; return what is sent then."""
    for effect in effects:
        if isinstance(effect, Resolve) and isinstance(effect.query, OwnStatement):
            said = state(FIRST_KEYS, 1, 68, effect.query.body)
            return messages(play.resolve(effect.query, said))
    return []


def keys_for(play: Playbook, host: str = "alice") -> tuple[Validity, ...]:
    """Let a host ask for the keys."""
    effects = play.control(host, AskKeys(FIRST))
    said = [
        *messages(effects), *stated(play, effects), *stated(play, play.advance(0.1)),
    ]  # fmt: skip
    (message, to) = said[-1]
    assert to == address(host)
    assert isinstance(message, IssuerKeys)
    assert NodeStatement(FIRST, 68, message.body, message.identity_key, message.signature).is_true()
    return read_keys(message.body)


def signed(play: Playbook, key: bytes, host: str = "alice", count: int = 1) -> Signed:
    challenge = challenge_of(FIRST, EXIT, tokens.key_id(key))
    asked = [tokens.ask(key, challenge, Random(each)) for each in range(count)]
    requests = tuple(each.request for each in asked)
    [(answer, to)] = messages(play.control(host, Sign(5, requests)))
    assert isinstance(answer, Signed)
    assert (answer.number, to) == (5, address(host))
    for each, one in zip(asked, answer.answers, strict=False):
        assert len(tokens.finish(each, one)) == tokens.TOKEN_BYTES
    return answer


def test_a_host_is_told_the_key_as_everybody_and_gets_tokens_of_it() -> None:
    play = issuer()

    [validity] = keys_for(play)

    assert keys_for(play, "bob") == (validity,)
    assert validity.end_unix_s == pytest.approx(unix_s(play) + 2 * 43_200.0, abs=1.0)
    assert len(signed(play, validity.key, count=3).answers) == 3


@pytest.mark.slow
def test_many_hosts_that_ask_before_there_is_a_key_are_told_in_turns() -> None:
    hosts = [f"h{number}" for number in range(600)]
    play = Playbook("relay", node=FIRST, peers=hosts)
    for host in hosts:
        _ = play.control(host, AskKeys(FIRST))

    told = stated(play, play.advance(0.05))
    told += messages(play.advance(0.05))

    assert {to for _, to in told} == set(map(address, hosts))


def test_a_key_outlives_a_restart() -> None:
    play = issuer()
    before = keys_for(play)

    play.restart()

    assert keys_for(play) == before


@pytest.mark.slow
def test_the_next_key_comes_while_the_last_is_good_and_then_that_is_forgotten() -> None:
    play = issuer(key_s=100.0)
    [first] = keys_for(play)

    _ = play.advance(101.0)
    _ = keys_for(play)
    second, still = keys_for(play)

    assert still == first
    assert signed(play, first.key).word == signed(play, second.key).word == ""
    _ = play.advance(100.0)
    _ = keys_for(play)
    assert first not in keys_for(play)
    assert signed(play, first.key).word == "other_key"


def test_a_host_gets_so_many_an_hour_and_another_has_its_own() -> None:
    play = issuer(tokens_per_hour=3)
    [validity] = keys_for(play)
    assert signed(play, validity.key, count=3).word == ""

    assert signed(play, validity.key).word == "quota"
    assert signed(play, validity.key, "bob").word == ""
    _ = play.advance(HOUR_S)
    [validity] = keys_for(play)
    assert signed(play, validity.key).word == ""


@pytest.mark.parametrize("request_", [b"", bytes(259), b"\0\2" + bytes(300)])
def test_what_cannot_be_signed_is_said(request_: bytes) -> None:
    play = issuer()
    _ = keys_for(play)

    [(answer, _)] = messages(play.control("alice", Sign(5, (request_,))))

    assert isinstance(answer, Signed)
    assert answer.word in {"bad_request", "other_key"}


def test_before_there_is_a_key_a_host_hears_that() -> None:
    [(answer, _)] = messages(issuer().control("alice", Sign(5, (bytes(259),))))

    assert answer == Signed(5, word="no_key")
