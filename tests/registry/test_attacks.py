"""Whoever shows nodes something else than was signed and witnessed: one attacker a test."""

import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs
from tests.registry.world import (
    AUTHOR,
    GOVERNORS,
    NOW,
    NUMBER,
    WITNESSES,
    World,
    keys_of,
    lying,
    with_governors,
    with_online_key,
    write_module,
)
from tuf.api.metadata import Metadata, Targets, Timestamp

from ei.errors import IntegrityError
from ei.records.key_files import read_keys
from ei.records.keys import Keys
from ei.registry.approvals import package_place
from ei.registry.client import RegistryClient
from ei.registry.disk import FolderMap
from ei.registry.drafts import draft_approval
from ei.registry.fetching import fetch_from
from ei.registry.following import MAX_LEAP
from ei.registry.ledger import Ledger
from ei.registry.metadata import (
    DAY_S,
    LIMITS,
    make_root,
    make_snapshot,
    make_target,
    make_timestamp,
    sign_metadata,
    signing_of,
)
from ei.registry.notes import cosign
from ei.registry.package import pack, unpack
from ei.registry.publishing import current_file, publish_online
from ei.registry.releases import Release, entry_of, release_of
from ei.registry.submitting import sign_submission


def online_key(world: World) -> Keys:
    """Return the key that was stolen."""
    return read_keys(world.registry.folder / "online.key")


def log_key(world: World) -> Keys:
    """Return the key of the log, which an attacker on the registry's machine has too."""
    return read_keys(world.registry.folder / "log.key")


def shown(world: World) -> FolderMap:
    """Return the files that the attacker changes."""
    return FolderMap(world.public)


def refused(client: RegistryClient, *, unix_s: float = NOW) -> str:
    """Return the word with which a client refuses."""
    before = client.stored()
    with pytest.raises(IntegrityError) as caught:
        _ = client.refresh(unix_s=unix_s)
    assert client.stored() == before, "what was known stays"
    return caught.value.word


def forged_targets(world: World, release: Release, signers: list[Keys]) -> bytes:
    """Return a list of approved releases with one more, signed by these."""
    root, targets = world.registry.root(), world.registry.targets()
    assert root is not None
    draft = draft_approval(root, targets, release, entry=0, author=AUTHOR.identity_key, unix_s=NOW)
    for keys in signers:
        sign_metadata(draft.targets, keys)
    return draft.targets.to_bytes()


# -- D7: metadata --------------------------------------------------------------------------------


def test_d7_what_2_of_5_have_signed_is_refused_by_the_registry_and_by_nodes(world: World) -> None:
    client = world.client()
    _ = client.refresh(unix_s=NOW)
    release = world.submit()
    _ = world.registry.approve(release.name, release.version, unix_s=NOW)
    _ = world.registry.sign(GOVERNORS[:2])

    with pytest.raises(IntegrityError, match="signed by 2 of the 5 keys, needed are 3"):
        world.registry.publish(unix_s=NOW)

    forged = forged_targets(world, release, GOVERNORS[:2])
    publish_online(shown(world), online_key(world), unix_s=NOW, targets=forged)
    assert refused(client) == "threshold"


def test_d7_one_governor_who_signs_three_times_counts_once(world: World) -> None:
    release = world.submit()
    forged = forged_targets(world, release, [GOVERNORS[0]] * 3)

    publish_online(shown(world), online_key(world), unix_s=NOW, targets=forged)

    assert refused(world.client()) == "threshold"


def test_d7_an_older_state_is_a_rollback(world: World, tmp_path: Path) -> None:
    client = world.client()
    _ = shutil.copytree(world.public, tmp_path / "old")
    world.approve(world.submit())
    _ = client.refresh(unix_s=NOW)

    back = world.client("node", fetch_from(str(tmp_path / "old")))

    assert refused(back) == "rollback"


def test_d7_a_list_that_was_replaced_is_not_approved_again_by_a_stolen_online_key(
    world: World,
) -> None:
    before = shown(world)["metadata/1.targets.json"]
    world.approve(world.submit())
    client = world.client()
    _ = client.refresh(unix_s=NOW)

    publish_online(shown(world), online_key(world), unix_s=NOW, targets=before)

    assert refused(client) == "rollback"


def test_d7_a_registry_that_is_frozen_is_refused_when_its_timestamp_ends(world: World) -> None:
    client = world.client()
    _ = client.refresh(unix_s=NOW)

    assert client.refresh(unix_s=NOW + DAY_S - 1).version
    assert refused(client, unix_s=NOW + DAY_S) == "freeze"


def test_d7_files_of_two_states_are_not_mixed(world: World) -> None:
    world.approve(world.submit())
    one = shown(world)["metadata/2.targets.json"]
    world.approve(world.submit("other", number=0xF0000002))

    lies = {"metadata/3.targets.json": one}
    client = world.client(fetch=lying(fetch_from(str(world.public)), lies))

    assert refused(client) == "mix_and_match"


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("metadata/timestamp.json", LIMITS["timestamp"]),
        ("metadata/2.root.json", LIMITS["root"]),
        ("metadata/1.snapshot.json", 1_000),
        ("log/checkpoint", 16_384),
    ],
)
def test_d7_endless_data_is_not_read_to_its_end(world: World, name: str, limit: int) -> None:
    asked: list[int] = []

    def endless(wanted: str, most: int) -> bytes:
        if wanted != name:
            return fetch_from(str(world.public))(wanted, most)
        asked.append(most)
        return bytes(most + 1)

    assert refused(world.client(fetch=endless)) == "endless_data"
    assert asked[0] <= limit


def test_d7_a_version_that_leaps_is_refused_and_a_new_online_key_cures_what_was_believed(
    world: World,
) -> None:
    client = world.client()
    _ = client.refresh(unix_s=NOW)
    honest = shown(world)["metadata/timestamp.json"]
    stolen = online_key(world)

    def leap(by: int) -> None:
        forged = Metadata[Timestamp].from_bytes(honest)
        forged.signed.version += by
        sign_metadata(forged, stolen)
        shown(world)["metadata/timestamp.json"] = forged.to_bytes()

    leap(MAX_LEAP + 1)
    assert refused(client) == "fast_forward"
    leap(MAX_LEAP)
    _ = client.refresh(unix_s=NOW)
    shown(world)["metadata/timestamp.json"] = honest
    assert refused(client) == "rollback"

    world.rotate(GOVERNORS[:3], with_online_key(world.registry.new_online_key()))

    assert client.refresh(unix_s=NOW).root_version == 2


def test_d7_a_stolen_online_key_approves_nothing(world: World) -> None:
    release = world.submit()
    forged = forged_targets(world, release, [online_key(world)])

    publish_online(shown(world), online_key(world), unix_s=NOW, targets=forged)

    assert refused(world.client()) == "threshold"


def test_d7_a_stolen_online_key_rolls_out_nothing_that_is_not_approved(world: World) -> None:
    world.approve(world.submit())
    evil = world.submit("evil", number=0xF0000666)
    stolen = online_key(world)
    approved = world.registry.targets()
    both = {**approved.targets, "evil/0.1.0.eim": make_target(evil, {"share_ppm": 1_000_000})}
    rollout = Metadata(Targets(3, None, world.registry.rollout().expires, both))
    sign_metadata(rollout, stolen)
    files = shown(world)
    files["metadata/3.rollout.json"] = rollout.to_bytes()
    _resnapshot(files, stolen, {"rollout": (3, rollout.to_bytes())})

    catalogue = world.client().refresh(unix_s=NOW)

    assert [str(each) for each in catalogue.releases] == ["hello@0.1.0"]
    assert catalogue.releases[0].share == 0.0
    assert catalogue.refused == (("evil@0.1.0", "unapproved"),)


def test_d7_a_stolen_online_key_hides_no_revocation(world: World) -> None:
    world.approve(world.submit())
    _ = world.registry.revoke("hello", "0.1.0", why="it leaks", unix_s=NOW)
    _ = world.registry.sign(GOVERNORS[2:])
    world.registry.publish(unix_s=NOW)
    client = world.client()
    revoked = client.refresh(unix_s=NOW).releases[0]
    files = shown(world)
    before = files["metadata/2.targets.json"]

    publish_online(files, online_key(world), unix_s=NOW, targets=before)

    assert refused(client) == "rollback"
    with pytest.raises(IntegrityError, match=r"hello@0\.1\.0 is revoked: it leaks") as caught:
        _ = client.package(revoked)
    assert caught.value.word == "revoked"


def test_d7_a_revocation_counts_though_the_authors_role_is_withheld(world: World) -> None:
    world.approve(world.submit())
    _ = world.registry.revoke("hello", "0.1.0", why="it leaks", unix_s=NOW)
    _ = world.registry.sign(GOVERNORS[2:])
    world.registry.publish(unix_s=NOW)
    lies = {"metadata/1.author-hello.json": None}

    catalogue = world.client(fetch=lying(fetch_from(str(world.public)), lies)).refresh(unix_s=NOW)

    assert [each.revoked for each in catalogue.releases] == ["it leaks"]


def test_d7_what_its_author_has_not_signed_does_not_count(world: World) -> None:
    release = world.submit()
    world.approve(release)
    lies = {"metadata/1.author-hello.json": None}

    catalogue = world.client(fetch=lying(fetch_from(str(world.public)), lies)).refresh(unix_s=NOW)

    assert not catalogue.releases
    assert catalogue.refused == (("hello@0.1.0", "unsigned"),)


def test_d7_other_bytes_than_those_approved_are_refused(world: World) -> None:
    world.approve(world.submit())
    client = world.client()
    (release,) = client.refresh(unix_s=NOW).releases
    (path,) = (world.public / "targets" / "hello").iterdir()
    _ = path.write_bytes(path.read_bytes().replace(b"hello", b"jello"))

    with pytest.raises(IntegrityError) as caught:
        _ = client.package(release)

    assert caught.value.word == "package"


def test_d7_a_package_that_is_another_service_inside_is_refused(world: World) -> None:
    echo = pack(write_module(world.folder / "echo", number=17))
    claimed = structs.replace(release_of(echo, unpack(echo)), name="hello", number=NUMBER)
    files = shown(world)
    files[package_place(claimed)] = echo
    files["submissions/author-hello.json"] = sign_submission(claimed, None, AUTHOR, unix_s=NOW)
    _ = Ledger(FolderMap(world.public / "log"), world.registry.signing().log).append(
        entry_of(claimed), log_key(world)
    )
    world.witness()

    with pytest.raises(IntegrityError, match=r"hello@0\.1\.0, number 4026531841, is echo@0\.1\.0"):
        world.approve(claimed)

    forged = forged_targets(world, claimed, GOVERNORS)
    publish_online(files, online_key(world), unix_s=NOW, targets=forged)
    client = world.client()
    (release,) = client.refresh(unix_s=NOW).releases
    with pytest.raises(IntegrityError) as caught:
        _ = client.package(release)
    assert caught.value.word == "package"


def test_d7_keys_change_over_3_generations_and_those_before_sign_nothing_any_more(
    world: World,
) -> None:
    generations = [GOVERNORS] + [
        [keys_of(f"governor {number} of {year}") for number in range(5)] for year in range(3)
    ]
    early = world.client("early")
    _ = early.refresh(unix_s=NOW)
    for old, new in pairwise(generations):
        world.rotate([*old[:3], *new[:3]], with_governors(new))

    assert early.refresh(unix_s=NOW).root_version == 4
    assert world.client("late").refresh(unix_s=NOW).root_version == 4

    root = world.registry.root()
    assert root is not None
    signing = with_governors(generations[0])(signing_of(root))
    forged = Metadata(make_root(signing, version=5, unix_s=NOW))
    for keys in generations[0]:
        sign_metadata(forged, keys)
    shown(world)["metadata/5.root.json"] = forged.to_bytes()
    assert refused(early) == "threshold"


def test_d7_a_root_that_its_own_keys_have_not_signed_is_refused(world: World) -> None:
    signing = with_governors([keys_of(f"new {number}") for number in range(5)])(
        world.registry.signing()
    )
    forged = Metadata(make_root(signing, version=2, unix_s=NOW))
    for keys in GOVERNORS:
        sign_metadata(forged, keys)

    shown(world)["metadata/2.root.json"] = forged.to_bytes()

    assert refused(world.client()) == "threshold"


@pytest.mark.parametrize("change", [b"", b"{}", b"[1]", b"\xff", b'{"signed":{"_type":"root"}}'])
def test_d7_what_is_no_metadata_is_refused(world: World, change: bytes) -> None:
    lies = {"metadata/timestamp.json": change}

    assert refused(world.client(fetch=lying(fetch_from(str(world.public)), lies))) == "malformed"


# -- D8: the log ---------------------------------------------------------------------------------


def forked(world: World, folder: Path) -> Callable[[bytes], FolderMap]:
    """Return what shows another log than the registry's, from where it is now."""

    def fork(entry: bytes) -> FolderMap:
        _ = shutil.copytree(world.public, folder)
        log = FolderMap(folder / "log")
        _ = Ledger(log, world.registry.signing().log).append(entry, log_key(world))
        return log

    return fork


def test_d8_of_two_views_of_the_log_witnesses_cosign_one_and_half_of_the_nodes_refuse(
    world: World, tmp_path: Path
) -> None:
    log = forked(world, tmp_path / "fork")(b"a release that only half of all nodes see")
    world.approve(world.submit())
    nodes = [world.client(f"node-{number}") for number in range(2)]
    halves = [
        world.client(f"half-{number}", fetch_from(str(tmp_path / "fork"))) for number in range(2)
    ]
    log["checkpoint"] = log["pending"]

    for witness in world.witnesses(tmp_path / "fork"):
        with pytest.raises(IntegrityError) as caught:
            _ = witness.look(unix_s=NOW)
        assert caught.value.word == "split_view"
    assert all(node.refresh(unix_s=NOW).log_size == 1 for node in nodes)
    assert [refused(node) for node in halves] == ["unwitnessed"] * 2


def test_d8_of_a_log_whose_witnesses_lie_too_nodes_find_out_from_one_another(
    world: World, tmp_path: Path
) -> None:
    log = forked(world, tmp_path / "fork")(b"a release that only half of all nodes see")
    world.approve(world.submit())
    _cosign_all(world, log)
    one, other = world.client("one"), world.client("other", fetch_from(str(tmp_path / "fork")))
    told = [each.refresh(unix_s=NOW).checkpoint for each in (one, other)]

    for node, checkpoint in ((one, told[1]), (other, told[0])):
        with pytest.raises(IntegrityError) as caught:
            node.hear(checkpoint)
        assert caught.value.word == "split_view"


def test_d8_a_view_that_was_heard_of_before_this_one_was_as_large_is_compared_later(
    world: World, tmp_path: Path
) -> None:
    log = forked(world, tmp_path / "fork")(b"a release that only half of all nodes see")
    client = world.client()
    assert client.refresh(unix_s=NOW).log_size == 0

    client.hear(log["pending"])
    _ = world.submit()

    assert refused(client) == "split_view"


def test_d8_a_log_that_is_rewritten_is_refused(world: World, tmp_path: Path) -> None:
    log = forked(world, tmp_path / "fork")(b"another beginning")
    client = world.client()
    _ = world.submit()
    _ = client.refresh(unix_s=NOW)
    _cosign_all(world, log)

    again = world.client("node", fetch_from(str(tmp_path / "fork")))

    assert refused(again) == "split_view"


def test_d8_a_log_that_has_become_shorter_is_refused(world: World) -> None:
    client = world.client()
    short = (world.public / "log" / "checkpoint").read_bytes()
    _ = world.submit()
    _ = client.refresh(unix_s=NOW)

    lies = {"log/checkpoint": short}

    assert refused(world.client(fetch=lying(fetch_from(str(world.public)), lies))) == "rollback"


def test_d8_a_release_that_is_not_logged_does_not_count(world: World) -> None:
    _ = world.submit()
    secret = world.submit("secret", number=0xF0000002)
    forged = forged_targets(world, secret, GOVERNORS)  # says entry 0, which is hello's

    publish_online(shown(world), online_key(world), unix_s=NOW, targets=forged)
    catalogue = world.client().refresh(unix_s=NOW)

    assert not catalogue.releases
    assert catalogue.refused == (("secret@0.1.0", "unlogged"),)


def test_d8_a_log_whose_witnesses_are_too_few_is_refused(world: World) -> None:
    _ = world.submit()
    log = world.public / "log"
    pending = (log / "pending").read_bytes().splitlines(keepends=True)
    lies = {"log/checkpoint": b"".join(pending[:6])}  # its own signature, and that of one

    assert refused(world.client(fetch=lying(fetch_from(str(world.public)), lies))) == "unwitnessed"


def _cosign_all(world: World, log: FolderMap) -> None:
    ledger = Ledger(log, world.registry.signing().log)
    note, _ = ledger.newest()
    for number, keys in enumerate(WITNESSES):
        _ = ledger.take([cosign(note.text, keys, f"witness.test/{number}", unix_s=int(NOW))])


def _resnapshot(files: FolderMap, keys: Keys, changed: dict[str, tuple[int, bytes]]) -> None:
    roles = {
        role: current_file(files, role) for role in ("targets", "rollout", "author-hello")
    } | changed
    snapshot = Metadata(make_snapshot(roles, version=50, unix_s=NOW))
    sign_metadata(snapshot, keys)
    files["metadata/50.snapshot.json"] = snapshot.to_bytes()
    stamp = Metadata(make_timestamp((50, snapshot.to_bytes()), version=50, unix_s=NOW))
    sign_metadata(stamp, keys)
    files["metadata/timestamp.json"] = stamp.to_bytes()
