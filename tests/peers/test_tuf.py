"""The stock client of The Update Framework follows a registry of ours, and refuses as ours does."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry.world import GOVERNORS, World, keys_of, with_governors, with_online_key
from tuf.api.exceptions import DownloadHTTPError, RepositoryError
from tuf.ngclient import Updater
from tuf.ngclient.fetcher import FetcherInterface

from ei.errors import NotFoundError
from ei.registry.fetching import fetch_from
from ei.registry.following import Fetch

LIMIT = 2**24


class Files(FetcherInterface):
    """Reads files in the place of HTTP."""

    def __init__(self, fetch: Fetch) -> None:
        self._read = fetch

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            return iter([self._read(url.removeprefix("x:/"), LIMIT)])
        except NotFoundError as error:
            raise DownloadHTTPError(str(error), 404) from error


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A registry of now: the stock client asks the system for the time."""
    return World(tmp_path, unix_s=time.time())


def stock(world: World) -> Updater:
    for name in ("stock", "downloads"):
        (world.folder / name).mkdir(exist_ok=True)
    return Updater(
        str(world.folder / "stock"),
        "x:/metadata/",
        str(world.folder / "downloads"),
        "x:/targets/",
        Files(fetch_from(str(world.public))),
        bootstrap=world.first_root,
    )


def test_it_finds_a_release_and_its_bytes_after_keys_have_changed(world: World) -> None:
    release = world.submit()
    world.approve(release)
    new = [keys_of(f"new {number}") for number in range(5)]
    world.rotate([*GOVERNORS[:3], *new[:3]], with_governors(new))
    world.rotate(new[:3], with_online_key(world.registry.new_online_key()))
    client = stock(world)

    target = client.get_targetinfo("hello/0.1.0.eim")

    assert target is not None
    assert f"sha256:{target.hashes['sha256']}" == release.digest
    assert Path(client.download_target(target)).stat().st_size == release.size_bytes


def test_it_follows_delegations_to_authors(world: World) -> None:
    world.approve(world.submit())
    later = world.submit(version="0.2.0")

    target = stock(world).get_targetinfo("hello/0.2.0.eim")

    assert target is not None, "its author has signed it; whether it may run is governance's word"
    assert f"sha256:{target.hashes['sha256']}" == later.digest


def test_it_refuses_to_go_back(world: World) -> None:
    stamp = world.public / "metadata" / "timestamp.json"
    old = stamp.read_bytes()
    world.approve(world.submit())
    stock(world).refresh()
    _ = stamp.write_bytes(old)

    with pytest.raises(RepositoryError):
        stock(world).refresh()
