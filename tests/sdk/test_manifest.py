from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.sdk import Manifest, load_manifest

LEAST = """
id = 100
name = "mine"
version = "1.2.3"
summary = "Mine."
"""


def parse(tmp_path: Path, text: str) -> Manifest:
    folder = tmp_path / "mine"
    folder.mkdir()
    _ = (folder / "manifest.toml").write_text(text)
    return load_manifest(folder)


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        _ = parse(tmp_path, text)
    said = str(caught.value)
    assert "mine/manifest.toml: " in said
    return said.partition("mine/manifest.toml: ")[2]


def test_four_fields_are_enough(tmp_path: Path) -> None:
    manifest = parse(tmp_path, LEAST)

    assert (manifest.id, manifest.name) == (100, "mine")
    assert manifest.capabilities == ()
    assert manifest.fail == "closed"


def test_every_field_can_be_said(tmp_path: Path) -> None:
    text = (
        LEAST
        + """
stable_bytes = 1_000
ephemeral_bytes = 2_000
handler_ms = 5
queue_packets = 10
max_hops = 8
match_metadata = 16
max_objects = 3
capabilities = ["payload", "streams", "internet"]
libraries = ["h11"]
drop_reasons = ["no_members"]
counters = ["joins"]
fail = "open"
state = "recomputable"

[knows]
first_node = ["client"]
middle_link = []

[config]
ttl_s = 1.5
"""
    )
    manifest = parse(tmp_path, text)

    assert manifest.match_metadata == 16
    assert manifest.capabilities == ("payload", "streams", "internet")
    assert manifest.knows == {"first_node": ("client",), "middle_link": ()}
    assert manifest.config == {"ttl_s": 1.5}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("handlr_ms = 5", "handlr_ms: unknown field; did you mean handler_ms?"),
        ("zzz = 5", "zzz: unknown field; allowed: adds_bytes, anonymous, before_pipe, cap"),
        ("knows = {guard = []}", "knows: {'guard': []} seen, a table from some of first_node,"),
        ("knows = {issuer = ['name']}", "knows: {'issuer': ['name']} seen, a table from some of"),
        (
            "knows = {issuer = ['client', 'client']}",
            "knows: issuer: ('client', 'client') seen, each fact once allowed",
        ),
        ("handler_ms = 0", "handler_ms: 0 seen, 1 to 10_000 allowed"),
        ("match_metadata = 300", "match_metadata: 300 seen, 0 to 255 bytes allowed"),
        ("max_hops = '8'", "max_hops: '8' seen, 1 to 1_024 allowed"),
        (
            "drop_reasons = ['No!']",
            "drop_reasons: ['No!'] seen, a list of words like no_members allowed",
        ),
        (
            "capabilities = ['root']",
            "capabilities: ['root'] seen, a list of payload, streams, internet, sites allowed",
        ),
        (
            "capabilities = ['payload', 'internet']",
            "capabilities: 'internet' seen without 'streams', which it needs",
        ),
        ("anonymous = 1", "anonymous: 1 seen, true or false allowed"),
        ("anonymous = true", "anonymous: true seen without 'streams', which it needs"),
        (
            "capabilities = ['records.write']",
            "capabilities: not in this version: 'records.write'",
        ),
        ("fail = 'maybe'", "fail: 'maybe' seen, closed, open, bypass allowed"),
        ("shard = 'tenant'", "shard: not in this version: 'tenant'"),
        ("config = 5", "config: 5 seen, a table allowed"),
        ("libraries = 'h11'", "libraries: 'h11' seen, a list of packages allowed"),
        (
            "libraries = ['os']",
            "libraries: 'os' seen, names of packages that are no part of Python",
        ),
        ("libraries = ['h11', 'sys']", "libraries: 'sys' seen, names of packages that are no part"),
        ("libraries = ['h11.__main__']", "libraries: 'h11.__main__' seen, names of packages that"),
        ("libraries = ['__main__']", "libraries: '__main__' seen, names of packages that are no"),
        (
            "libraries = ['ei']",
            "libraries: 'ei' seen, names of packages that are no part of Python",
        ),
        ("state = 'lost'", "state: 'lost' seen, recomputable, durable, replicated allowed"),
        (
            "state = 'replicated'",
            'stable_bytes: 0 seen, 1 to 67108864 allowed with state = "replicated"',
        ),
        ("copies = 0", "copies: 0 seen, 1 to 16 allowed"),
        ("counters = ['a', 'a']", "counters: 'a' seen twice, each word once allowed"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_seen_and_what_is_allowed(
    tmp_path: Path, line: str, said: str
) -> None:
    assert complaint(tmp_path, LEAST + line).startswith(said)


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("id = 100", "id = 1", "id: 1 seen, 2 to 2^32 - 1 allowed"),
        ('name = "mine"', 'name = "yours"', "name: 'yours' seen, the folder's name 'mine' allowed"),
        ('"1.2.3"', '"one"', "version: 'one' seen, x.y.z allowed"),
        ('"Mine."', '""', "summary: '' seen, 1 to 200 characters allowed"),
        ("id = 100", "", "id: missing, a value is required"),
    ],
)
def test_a_field_that_must_be_there_must_be_right(
    tmp_path: Path, was: str, now: str, said: str
) -> None:
    assert complaint(tmp_path, LEAST.replace(was, now)) == said


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    assert complaint(tmp_path, "id = = 5").startswith("not TOML: ")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("id = " + "9" * 5_000, "not TOML: Exceeds the limit"),
        ("libraries = " + "[" * 20_000, "not TOML of ours: nested too deeply"),
        (f'summary = "{"x" * 65_536}"', "more than the allowed 65536 B"),
    ],
    ids=["long number", "deep", "long"],
)
def test_b1_a_file_that_is_out_of_all_bounds_is_refused(
    tmp_path: Path, line: str, said: str
) -> None:
    assert complaint(tmp_path, line).startswith(said)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    _ = (tmp_path / "mine" / "manifest.toml").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match=r"manifest\.toml: not TOML: "):
        _ = load_manifest(tmp_path / "mine")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"manifest\.toml: cannot be read: No such file"):
        _ = load_manifest(tmp_path)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            'tier = "nano"\nhandler_ms = 20',
            "handler_ms: 20 seen, 10 allowed in the tier 'nano'; write tier = 'standard'",
        ),
        (
            "ephemeral_bytes = 100_000_000",
            (
                "ephemeral_bytes: 100000000 seen, 67108864 allowed in the tier 'standard';"
                " write tier = 'heavy'"
            ),
        ),
        ('tier = "huge"', "tier: 'huge' seen, nano, standard, heavy allowed"),
        (
            'tier = "nano"\ncapabilities = ["streams"]',
            (
                "capabilities: 'streams' seen, none allowed in the tier 'nano';"
                " write tier = 'standard'"
            ),
        ),
    ],
)
def test_a_tier_bounds_what_a_manifest_asks_for(tmp_path: Path, lines: str, said: str) -> None:
    assert complaint(tmp_path, LEAST + lines) == said


def test_a_nano_service_has_the_limit_of_its_tier_unless_it_says_less(tmp_path: Path) -> None:
    assert parse(tmp_path, f'{LEAST}tier = "nano"').handler_ms == 10


@pytest.mark.parametrize("date", ["2026-11-29", "2999-01-01", "today"])
def test_a_compatibility_date_is_one_that_this_version_knows(date: str, tmp_path: Path) -> None:
    said = complaint(tmp_path, f"{LEAST}compat = {date!r}")

    assert said.startswith(f"compat: {date!r} seen, ")


def test_without_a_date_a_module_is_as_of_the_first(tmp_path: Path) -> None:
    assert parse(tmp_path, LEAST).compat == "2026-11-30"
