"""What a node is told honestly; who attacks is in test_attacks.py."""

import pytest
from tests.registry.world import GOVERNORS, NOW, WITNESSES, World, certificate_of, keys_of, lying

from ei.errors import ConfigError, IntegrityError
from ei.registry.approvals import package_place
from ei.registry.client import MAX_PACKAGES, RegistryClient, Trust
from ei.registry.fetching import fetch_from
from ei.registry.notes import COSIGNATURE, NoteKey
from ei.registry.package import unpack


def test_a_release_comes_to_a_node_with_its_share_and_bytes(world: World) -> None:
    submitted = world.submit(is_certified=True)
    world.approve(submitted, share=0.25)
    client = world.client()

    catalogue = client.refresh(unix_s=NOW)

    (release,) = catalogue.releases
    assert not catalogue.refused
    assert (release.name, release.version, release.kind) == ("hello", "0.1.0", "module")
    assert (release.digest, release.share) == (submitted.digest, 0.25)
    assert unpack(client.package(release))["service.py"] == b'"""hello"""\n'
    assert client.certificate(release) == certificate_of(client.package(release))
    assert (catalogue.log_size, catalogue.root_version) == (1, 1)


def test_what_is_shown_again_is_asked_for_and_no_more(world: World) -> None:
    world.approve(world.submit())
    fetch = fetch_from(str(world.public))
    asked: list[str] = []

    def counted(name: str, limit: int) -> bytes:
        asked.append(name)
        return fetch(name, limit)

    client = world.client(fetch=counted)
    first = client.refresh(unix_s=NOW)
    asked.clear()

    assert client.refresh(unix_s=NOW) == first
    assert asked == ["metadata/timestamp.json", "log/checkpoint", "metadata/2.root.json"]
    world.rotate(GOVERNORS[:3], lambda signing: signing)
    assert client.refresh(unix_s=NOW).root_version == 2


def test_a_share_grows_and_the_version_with_it(world: World) -> None:
    world.approve(world.submit(), share=0.0)
    client = world.client()
    first = client.refresh(unix_s=NOW)

    world.registry.set_share("hello", "0.1.0", 0.5, unix_s=NOW)
    second = client.refresh(unix_s=NOW)

    assert [each.releases[0].share for each in (first, second)] == [0.0, 0.5]
    assert second.version > first.version


def test_what_was_known_is_there_after_a_restart(world: World) -> None:
    world.approve(world.submit())
    assert world.client().stored() is None
    known = world.client().refresh(unix_s=NOW)

    assert world.client().stored() == known


def test_a_package_is_fetched_once_and_again_if_it_is_damaged(world: World) -> None:
    world.approve(world.submit())
    client = world.client()
    (release,) = client.refresh(unix_s=NOW).releases
    package = client.package(release)
    kept = world.folder / "node" / "packages" / release.digest.removeprefix("sha256:")
    lies = {package_place(release): None}

    assert (
        world.client(fetch=lying(fetch_from(str(world.public)), lies)).package(release) == package
    )
    _ = kept.write_bytes(b"bit rot")
    assert client.package(release) == package


def test_only_so_many_packages_are_kept(world: World) -> None:
    packages = world.folder / "node" / "packages"
    packages.mkdir(parents=True)
    for number in range(MAX_PACKAGES + 3):
        _ = (packages / f"{number:064}").write_bytes(b"of another time")
    world.approve(world.submit())
    client = world.client()
    (release,) = client.refresh(unix_s=NOW).releases

    _ = client.package(release)

    kept = [path.name for path in packages.iterdir()]
    assert len(kept) == MAX_PACKAGES
    assert release.digest.removeprefix("sha256:") in kept


def test_an_operators_own_witnesses_take_the_place_of_governances(world: World) -> None:
    def client(*names: str) -> RegistryClient:
        keys = (
            NoteKey("witness.test/0", COSIGNATURE, keys_of(name).identity_key) for name in names
        )
        return RegistryClient(
            world.folder / names[0],
            Trust(world.first_root, tuple(keys), len(names)),
            fetch_from(str(world.public)),
        )

    assert WITNESSES[0] == keys_of("witness 0")
    assert client("witness 0").refresh(unix_s=NOW).log_size == 0
    with pytest.raises(IntegrityError, match="cosigned by 0 of its 1 witnesses"):
        _ = client("somebody").refresh(unix_s=NOW)
    with pytest.raises(ConfigError):
        _ = Trust(world.first_root, (NoteKey("x", COSIGNATURE, bytes(32)),), 0)


def test_two_versions_of_a_module_are_both_there(world: World) -> None:
    for version in ("0.1.0", "0.2.0"):
        world.approve(world.submit(version=version, text=version))

    catalogue = world.client().refresh(unix_s=NOW)

    assert [str(each) for each in catalogue.releases] == ["hello@0.1.0", "hello@0.2.0"]
    assert not catalogue.refused


def test_a_checkpoint_of_another_node_that_is_the_same_is_taken_in(world: World) -> None:
    early = world.client("early")
    small = early.refresh(unix_s=NOW).checkpoint
    _ = world.submit()
    late = world.client("late")
    large = late.refresh(unix_s=NOW).checkpoint

    early.hear(large)
    late.hear(small)

    assert early.refresh(unix_s=NOW).log_size == 1
    assert early.statistics() == {"refreshed": 2, "refused": 0}
