"""Versions of modules change one at a time, are kept, and give way to the one before."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.node.test_prepare import MANIFEST, SERVICE

from ei.daemons.log import Log
from ei.errors import ConflictError, NotFoundError, ServiceError
from ei.node.config import NodeConfig
from ei.node.remembering import RememberingControl
from ei.node.running_services import RunningServices
from ei.node.shelf import OF_FILE, Choice, Shelf
from ei.node.upgrading import Upgrading
from ei.runtime.loader import FoundService, read_service
from ei.sdk.manifest import load_manifest


def module(folder: Path, version: str) -> Path:
    """Write the module `plain` in this version; return its folder."""
    made = folder / version / "plain"
    made.mkdir(parents=True)
    _ = (made / "manifest.toml").write_text(
        MANIFEST.replace('version = "0.0.1"', f'version = "{version}"')
    )
    _ = (made / "service.py").write_text(SERVICE)
    return made


class Node:
    """Services that are replaced at once, or as a test wants it."""

    def __init__(self, folder: Path) -> None:
        self.first = module(folder, "0.1.0")
        config = NodeConfig(
            version=1,
            name="sn1.isp-a",
            domain_number=1,
            binds=("127.0.0.1:1",),
            services=("plain",),
        )
        manifest = load_manifest(self.first)
        self.services = RunningServices(config, [manifest], RememberingControl())
        self.shelf = Shelf(folder / "state")
        self.upgrading = self.made(self.replace)
        self.ran: list[Path] = []

    def made(self, replace: Callable[[FoundService], Awaitable[None]]) -> Upgrading:
        return Upgrading(
            self.services,
            self.shelf,
            folders=(self.first.parent,),
            replace=replace,
            log=Log(io.StringIO()),
        )

    async def replace(self, service: FoundService) -> None:
        self.services.renew(service.manifest)
        self.ran.append(service.folder)


def test_a_module_goes_up_and_down_and_the_choice_is_kept(tmp_path: Path) -> None:
    node = Node(tmp_path)
    second = module(tmp_path, "0.2.0")

    up = asyncio.run(node.upgrading.upgrade("plain", second))
    down = asyncio.run(node.upgrading.go_back("plain"))

    assert (up.version, up.before, up.digest[:7]) == ("0.2.0", "0.1.0", "sha256:")
    assert (down.version, down.before, down.digest) == ("0.1.0", "0.2.0", OF_FILE)
    assert node.ran == [node.shelf.folder_of("plain", up.digest), node.first]
    assert Shelf(tmp_path / "state").choices == {"plain": Choice(OF_FILE, up.digest)}


def test_a_module_that_does_not_start_is_not_chosen(tmp_path: Path) -> None:
    node = Node(tmp_path)

    async def refuse(service: FoundService) -> None:
        raise ServiceError(f"{service.manifest.name}: its worker does not start")

    with pytest.raises(ServiceError, match="does not start"):
        _ = asyncio.run(node.made(refuse).upgrade("plain", module(tmp_path, "0.2.0")))

    assert node.shelf.choices == {}


def test_a_version_that_does_not_live_gives_way_in_the_books_as_well(tmp_path: Path) -> None:
    node = Node(tmp_path)
    up = asyncio.run(node.upgrading.upgrade("plain", module(tmp_path, "0.2.0")))

    node.upgrading.note(read_service(node.first), "0.2.0: exit 3")

    assert node.upgrading.gave_way == {"plain": (up.digest, "0.2.0: exit 3")}
    assert node.upgrading.take_dead() == {"plain": (up.digest, "0.2.0: exit 3")}
    assert node.upgrading.take_dead() == {}
    assert node.upgrading.is_from_file("plain")
    assert node.shelf.choices == {"plain": Choice(OF_FILE, up.digest)}


def test_a_full_disk_does_not_keep_the_version_before_from_running(tmp_path: Path) -> None:
    node = Node(tmp_path)
    up = asyncio.run(node.upgrading.upgrade("plain", module(tmp_path, "0.2.0")))
    running = tmp_path / "state" / "modules" / "running.json"
    running.unlink()
    running.mkdir()  # so that nothing can be written there

    node.upgrading.note(read_service(node.first), "0.2.0: exit 3")

    assert node.upgrading.take_dead() == {"plain": (up.digest, "0.2.0: exit 3")}


def test_one_module_changes_at_a_time(tmp_path: Path) -> None:
    node = Node(tmp_path)
    second = module(tmp_path, "0.2.0")

    async def main() -> None:
        is_in, may_go = asyncio.Event(), asyncio.Event()

        async def wait(_service: FoundService) -> None:
            is_in.set()
            _ = await may_go.wait()

        upgrading = node.made(wait)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(upgrading.upgrade("plain", second))
            _ = await is_in.wait()
            with pytest.raises(ConflictError, match="plain is being changed"):
                _ = await upgrading.go_back("plain")
            may_go.set()
        assert first.result().version == "0.2.0"

    asyncio.run(main())


def test_a_change_that_nobody_waits_for_any_more_comes_to_its_end(tmp_path: Path) -> None:
    node = Node(tmp_path)

    async def main() -> None:
        is_in, may_go, is_over = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def wait(_service: FoundService) -> None:
            is_in.set()
            _ = await may_go.wait()
            is_over.set()

        upgrading = node.made(wait)
        task = asyncio.get_running_loop().create_task(
            upgrading.upgrade("plain", module(tmp_path, "0.2.0"))
        )
        _ = await is_in.wait()
        _ = task.cancel()
        with pytest.raises(asyncio.CancelledError):
            _ = await task
        may_go.set()
        _ = await is_over.wait()

    asyncio.run(main())

    assert "plain" in node.shelf.choices


def test_there_may_be_no_version_before(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no version of plain ran here before"):
        _ = asyncio.run(Node(tmp_path).upgrading.go_back("plain"))


def test_what_is_in_the_way_of_a_version_before_hears_of_it_first(tmp_path: Path) -> None:
    node = Node(tmp_path)
    up = asyncio.run(node.upgrading.upgrade("plain", module(tmp_path, "0.2.0")))
    heard: list[tuple[str, int]] = []
    node.upgrading.make_way = lambda manifest: heard.append((manifest.version, len(node.ran)))

    _ = asyncio.run(node.upgrading.go_back("plain"))
    node.upgrading.note(read_service(node.shelf.folder_of("plain", up.digest)), "0.1.0: SIGKILL")

    assert heard == [("0.1.0", 1), ("0.2.0", 2)]
