"""wireguard-go is told what `wg` would tell it."""

import asyncio
import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ei.errors import DeniedError
from ei.lab.borrowed import find_program
from ei.lab.namespaces import check_allowed
from ei.scenarios.ways_in.wireguard import PROGRAM, seen_by, settings, tunnelled, version_of


def test_an_end_knows_its_own_key_and_the_other_end() -> None:
    own, other = X25519PrivateKey.generate(), X25519PrivateKey.generate()

    lines = settings(own, other, wire="10.77.0.2", address="10.78.0.2").splitlines()

    assert lines[:2] == ["set=1", f"private_key={own.private_bytes_raw().hex()}"]
    assert f"public_key={other.public_key().public_bytes_raw().hex()}" in lines
    assert lines[-3:] == ["endpoint=10.77.0.2:51820", "allowed_ip=10.78.0.2/32", ""]


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (b"mod\tgolang.zx2c4.com/wireguard\tv0.0.0-2026\th1:cqHQ=", "v0.0.0-2026"),
        (b"not from Go", "of unknown version"),
    ],
)
def test_its_version_is_what_go_wrote(tmp_path: Path, content: bytes, version: str) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)

    assert version_of(program) == version


def test_a_file_is_found_where_another_process_sees_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder")

    assert seen_by(7, tmp_path / "link" / "file") == Path(f"/proc/7/root{tmp_path}/folder/file")


@pytest.mark.slow
def test_two_ends_reach_each_other_and_leave_nothing() -> None:
    if find_program(PROGRAM) is None or shutil.which("ping") is None:
        pytest.skip("needs wireguard-go and ping; make others")
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        pytest.skip(str(error))

    async def program() -> int:
        async with tunnelled(os.environ) as tunnel:
            words = ("nsenter", f"--net={tunnel.namespaces[0]}", "ping", "-c1", "-W5")
            asked = await asyncio.create_subprocess_exec(
                *words, tunnel.addresses[1], stdout=asyncio.subprocess.DEVNULL
            )
            return await asked.wait()

    assert asyncio.run(program()) == 0
    assert not Path("/var/run/wireguard/wg0.sock").exists()
