import pytest
from tests.registry.world import AUTHOR, GOVERNORS, LOG, NOW, WITNESSES, governance, keys_of
from tuf.api.metadata import Metadata, Root

from ei.errors import ConfigError, IntegrityError
from ei.registry.metadata import (
    LogTrust,
    Signing,
    authors_of,
    check_witnesses,
    delegations_to,
    expires_unix_s,
    make_root,
    make_targets,
    parse_metadata,
    sign_metadata,
    signers_of,
    signing_of,
)
from ei.registry.notes import COSIGNATURE, ED25519, NoteKey

WATCHING = tuple(
    NoteKey(f"w/{n}", COSIGNATURE, keys.identity_key) for n, keys in enumerate(WITNESSES)
)
SIGNING = Signing(
    governance(GOVERNORS),
    keys_of("online").identity_key,
    LogTrust(NoteKey(LOG, ED25519, keys_of("log").identity_key), WATCHING, 2),
)


def test_a_root_says_who_signs_what() -> None:
    root = make_root(SIGNING, version=1, unix_s=NOW)

    read = parse_metadata(Metadata(root).to_bytes(), Root, "root").signed

    assert signing_of(read) == SIGNING
    assert expires_unix_s(read) == NOW + 365 * 86_400


def test_each_governor_counts_once_and_strangers_do_not() -> None:
    metadata = Metadata(make_root(SIGNING, version=1, unix_s=NOW))
    for keys in (GOVERNORS[0], GOVERNORS[0], GOVERNORS[1], keys_of("stranger")):
        sign_metadata(metadata, keys)

    assert signers_of(metadata, SIGNING.governance.keys) == {
        keys.identity_key for keys in GOVERNORS[:2]
    }
    metadata.signed.version = 2
    assert not signers_of(metadata, SIGNING.governance.keys)


def test_targets_delegate_to_authors() -> None:
    authors = {"hello": AUTHOR.identity_key}
    targets = make_targets({}, delegations_to(SIGNING.online, authors), version=1, unix_s=NOW)

    assert authors_of(targets) == authors
    assert authors_of(make_targets({}, version=1, unix_s=NOW)) == {}


def test_witnesses_are_more_than_half() -> None:
    check_witnesses(WATCHING, 2)
    check_witnesses((), 0)
    for few in (0, 1, 4):
        with pytest.raises(ConfigError, match="more than half of them allowed"):
            check_witnesses(WATCHING, few)
    with pytest.raises(ConfigError, match="twice"):
        check_witnesses(WATCHING[:1] * 2, 2)


def test_a_root_of_other_roles_is_refused() -> None:
    def no_log(root: Root) -> None:
        del root.unrecognized_fields["ei-log"]

    def two_thresholds(root: Root) -> None:
        root.roles["targets"].threshold = 1

    def two_online_keys(root: Root) -> None:
        root.roles["snapshot"].keyids = list(root.roles["root"].keyids[:1])

    for spoil in (no_log, two_thresholds, two_online_keys):
        root = make_root(SIGNING, version=1, unix_s=NOW)
        spoil(root)
        with pytest.raises(IntegrityError) as caught:
            _ = signing_of(root)
        assert caught.value.word == "malformed"


@pytest.mark.parametrize(
    "change",
    [
        (b'"version":1', b'"version":1.5'),
        (b'"version":1', b'"version":0'),
        (b'"version":1', b'"version":"1"'),
        (b'"_type":"root"', b'"_type":"snapshot"'),
        (b"{", b"[" * 20_000),
        (b'"version":1', b'"version":' + b"9" * 10_000),
    ],
    ids=range(6),
)
def test_what_is_no_metadata_is_refused(change: tuple[bytes, bytes]) -> None:
    data = Metadata(make_root(SIGNING, version=1, unix_s=NOW)).to_bytes()

    with pytest.raises(IntegrityError) as caught:
        _ = parse_metadata(data.replace(*change, 1), Root, "root")

    assert caught.value.word == "malformed"
