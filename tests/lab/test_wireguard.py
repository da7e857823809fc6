"""wireguard-go is told what `wg` would tell it."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from ei.lab.wireguard import MODULE, Peer, seen_by, settings, version_of


def test_an_end_knows_its_own_key_and_its_peers() -> None:
    own, near, far = (X25519PrivateKey.generate() for _ in range(3))
    peers = [
        Peer(near.public_key(), "10.78.0.2", "10.77.0.2", keepalive_s=1),
        Peer(far.public_key(), "10.78.0.3"),
    ]

    lines = settings(own, peers).splitlines()

    assert lines[:2] == ["set=1", f"private_key={own.private_bytes_raw().hex()}"]
    assert f"public_key={near.public_key().public_bytes_raw().hex()}" in lines
    assert lines[4:7] == [
        "endpoint=10.77.0.2:51820",
        "persistent_keepalive_interval=1",
        "allowed_ip=10.78.0.2/32",
    ]
    assert lines[7:] == [
        f"public_key={far.public_key().public_bytes_raw().hex()}",
        "allowed_ip=10.78.0.3/32",
        "",
    ]


@pytest.mark.parametrize(
    ("content", "version"),
    [
        (b"mod\tgolang.zx2c4.com/wireguard\tv0.0.0-2026\th1:cqHQ=", "v0.0.0-2026"),
        (b"not from Go", "of unknown version"),
    ],
)
def test_its_version_is_what_go_wrote(tmp_path: Path, content: bytes, version: str) -> None:
    program = tmp_path / "program"
    _ = program.write_bytes(content)

    assert version_of(program, MODULE) == version


def test_a_file_is_found_where_another_process_sees_it(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "folder")

    assert seen_by(7, tmp_path / "link" / "file") == Path(f"/proc/7/root{tmp_path}/folder/file")
