"""Whoever uses a network is not in what is shown to others, and it can still be read."""

import json

import pytest

from ei.cli.pseudonyms import Pseudonyms
from ei.records.addresses import format_address
from ei.records.keys import make_keys

HOST, NODE = make_keys(b"h" * 32), make_keys(b"n" * 32)
ALICE, SN1 = HOST.address(1), NODE.address(1)
KEPT = ("sn1.isp-a", format_address(SN1), NODE.pipe_key.hex(), "198.18.0.1")


def hidden(text: str) -> str:
    return Pseudonyms(KEPT, ["isp-a", "isp-b"]).hide(text)


@pytest.mark.parametrize(
    "who",
    [
        "alice.isp-a",
        "quince-7hx2v9kd4.isp-b",
        format_address(ALICE),
        ALICE.hex(),
        HOST.identity_key.hex(),
        HOST.pipe_key.hex().upper(),
        "198.18.0.12",
        "[2001:db8::7]",
    ],
)
@pytest.mark.parametrize("around", ["{}:3535", '{{"name": "{}:1"}}', "peer {}:9 is up", "({}:5)"])
def test_a_host_is_nowhere(who: str, around: str) -> None:
    assert who not in hidden(around.format(who))


@pytest.mark.parametrize(
    "text",
    [
        *KEPT,
        SN1.hex(),
        "127.0.0.1:3535",
        "isp-a",
        "version 1.2.3",
        "node.toml",
        "/run/ei/node.sock",
    ],
)
def test_nodes_domains_and_other_words_stay(text: str) -> None:
    assert hidden(f"it is {text}, he said") == f"it is {text}, he said"


def test_one_thing_has_one_word_in_whatever_form_and_file() -> None:
    pseudonyms = Pseudonyms(KEPT, ["isp-a"])

    first = pseudonyms.hide(f"{format_address(ALICE)} bob.isp-a")
    second = pseudonyms.hide(f"carol.isp-a {ALICE.hex()} bob.isp-a")

    assert first == "address-1 name-1"
    assert second == "name-2 address-1 name-1"


def test_json_stays_json() -> None:
    said = {"peers": {ALICE.hex(): {"name": "alice.isp-a", "endpoint": "10.0.0.7:3535"}}}

    assert json.loads(hidden(json.dumps(said))) == {
        "peers": {"address-1": {"name": "name-1", "endpoint": "ip-1:3535"}}
    }


def test_without_any_domain_known_addresses_are_hidden_still() -> None:
    assert Pseudonyms((), ()).hide(f"{ALICE.hex()} at 10.0.0.7") == "address-1 at ip-1"
