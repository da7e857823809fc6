import io
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry.world import write_module

from ei.errors import ConfigError, ConflictError, IntegrityError
from ei.registry.package import (
    MAX_FILES,
    MAX_PACKAGE_BYTES,
    digest_of,
    kind_of,
    pack,
    unpack,
    write_files,
)


def test_two_independent_builds_of_a_folder_have_one_digest(tmp_path: Path) -> None:
    one = write_module(tmp_path / "here" / "hello")
    (one / "deep").mkdir()
    _ = (one / "deep" / "a.py").write_text("1")
    before = os.umask(0o077)
    try:
        other = tmp_path / "elsewhere" / "with a longer path" / "hello"
        other.mkdir(parents=True)
        (other / "deep").mkdir()
        for name in ("deep/a.py", "service.py", "manifest.toml"):  # in another order
            _ = (other / name).write_bytes((one / name).read_bytes())
            os.utime(other / name, (1, 1))
        (other / "service.py").chmod(0o700)
    finally:
        _ = os.umask(before)

    assert digest_of(pack(one)) == digest_of(pack(other))


def test_a_package_has_golden_bytes(tmp_path: Path) -> None:
    package = pack(write_module(tmp_path / "hello", number=0xF0000001))

    assert len(package) == 3_072
    assert digest_of(package) == GOLDEN


def test_what_a_package_has_is_what_tar_reads(tmp_path: Path) -> None:
    folder = write_module(tmp_path / "hello")
    with tarfile.open(fileobj=io.BytesIO(pack(folder))) as archive:
        assert archive.getnames() == ["manifest.toml", "service.py"]
        assert {(each.mtime, each.uid, each.mode) for each in archive} == {(0, 0, 0o644)}


def test_what_builds_make_is_left_out(tmp_path: Path) -> None:
    folder = write_module(tmp_path / "hello")
    before = pack(folder)
    for name in (".git/x", "__pycache__/service.pyc", "target/x", "hello-0.1.0.eim", "x.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        _ = (folder / name).write_text("x")

    assert pack(folder) == before


def test_what_is_unpacked_is_what_was_packed(tmp_path: Path) -> None:
    folder = write_module(tmp_path / "hello")
    files = unpack(pack(folder))

    write_files(files, tmp_path / "again" / "hello")

    assert pack(tmp_path / "again" / "hello") == pack(folder)
    assert kind_of(files) == "module"
    with pytest.raises(ConflictError):
        write_files(files, tmp_path / "again" / "hello")


def link(folder: Path) -> None:
    (folder / "link").symlink_to("/etc/passwd")


def strange_name(folder: Path) -> None:
    _ = (folder / "a b.py").write_text("")


def long_name(folder: Path) -> None:
    (folder / ("d" * 60)).mkdir()
    _ = (folder / ("d" * 60) / ("f" * 60)).write_text("")


def too_many(folder: Path) -> None:
    for number in range(MAX_FILES):
        _ = (folder / f"f{number}").write_text("")


def too_much(folder: Path) -> None:
    with (folder / "big").open("wb") as file:
        _ = file.truncate(MAX_PACKAGE_BYTES)


def no_manifest(folder: Path) -> None:
    (folder / "manifest.toml").unlink()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (link, "a link or special file, plain files and folders allowed"),
        (strange_name, "the name 'a b.py' seen"),
        (long_name, "a path of 121 characters, 100 allowed"),
        (too_many, "more than 1000 files"),
        (too_much, "more than the allowed 16777216 B"),
        (no_manifest, "neither manifest.toml nor bundle.toml is there"),
    ],
)
def test_what_cannot_be_a_package_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], said: str
) -> None:
    folder = write_module(tmp_path / "hello")
    spoil(folder)

    with pytest.raises(ConfigError, match=said):
        _ = pack(folder)


def spoiled(name: str, *, size: int = 0, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return an archive with one file beside a manifest, as no folder has it."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for each in ("manifest.toml", name):
            member = tarfile.TarInfo(each)
            member.size, member.type = size, kind
            tar.addfile(member, io.BytesIO(bytes(size)))
    return archive.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        spoiled("../outside"),
        spoiled("/etc/passwd"),
        spoiled("a/../b"),
        spoiled("link", kind=tarfile.SYMTYPE),
        spoiled("manifest.toml"),
        spoiled("z.py"),  # right but for its end, which tar pads
        b"",
        bytes(1_024),
        bytes(MAX_PACKAGE_BYTES + 1),
    ],
    ids=range(9),
)
def test_what_is_no_package_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        _ = unpack(data)

    assert caught.value.word == "package"


@given(st.binary(max_size=2_048), st.integers(0, 3_000))
def test_no_bytes_raise_anything_else(noise: bytes, place: int) -> None:
    for data in (noise, spoiled("a.py", size=100)[:place] + noise):
        with suppress(IntegrityError):
            _ = unpack(data)


GOLDEN = "sha256:06f1bfe6223552dfa0dc7ad78d3680c9379d8fd21cfeb4559a95f3e7b91b56a5"
