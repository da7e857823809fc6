"""A node follows the registry that its configuration names, and another after a reload."""

import asyncio
import io
from pathlib import Path
from threading import Event

import pytest
from tests.node.test_following import World
from tests.node.test_node import SN1
from tests.node.test_node import node as made
from tests.registry.world import World as RegistryWorld

from ei.daemons.log import Log
from ei.errors import ConfigError, UnreachableError
from ei.node.follower import Follower, make_client, send_report
from ei.node.registry_config import RegistryConfig
from ei.node.remembering import RememberingControl
from ei.registry.reports import Report


def follower(folder: Path) -> Follower:
    return Follower(
        made(RememberingControl()),
        SN1,
        (World(folder), World(folder)),
        folder=folder,
        state=folder / "state",
        on_failure=pytest.fail,
        log=Log(io.StringIO()),
    )


def config(folder: Path) -> RegistryConfig:
    return RegistryConfig(url=str(folder), root=str(folder / "root.json"), services=("hello",))


def test_a_registry_is_followed_until_another_is_named(tmp_path: Path) -> None:
    async def main() -> None:
        following = follower(tmp_path)
        assert following.status() is None
        following.use(config(tmp_path))
        status = following.status()
        assert status is not None
        assert status.url == str(tmp_path)
        following.use(None)
        assert following.status() is None
        following.end()

    asyncio.run(main())


def test_a_client_begins_with_the_root_that_the_operator_has(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"registry\.root: .*No such file"):
        _ = make_client(config(tmp_path), tmp_path, tmp_path / "state", Event())

    world = RegistryWorld(tmp_path / "world")
    _ = (tmp_path / "root.json").write_bytes(world.first_root)
    at = RegistryConfig(url="world/registry", root="root.json", services=("hello",))
    is_over = Event()
    client = make_client(at, tmp_path, tmp_path / "state", is_over)

    assert client.refresh(unix_s=world.unix_s).root_version == 1
    is_over.set()
    with pytest.raises(UnreachableError, match="not followed any more"):
        _ = client.refresh(unix_s=world.unix_s)


def test_a_report_to_nobody_is_said() -> None:
    report = Report(SN1.address(1), "hello", "0.1.0", f"sha256:{0:064}", 9, 3, "fails", 1)

    with pytest.raises(UnreachableError, match="takes no reports"):
        send_report("/registry", SN1, report)
    with pytest.raises(UnreachableError):
        send_report("http://127.0.0.1:9", SN1, report)
