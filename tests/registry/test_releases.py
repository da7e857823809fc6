from pathlib import Path

import pytest
from tests.registry.world import NUMBER, certificate_of, write_module

from ei.errors import ConfigError, IntegrityError
from ei.registry.package import digest_of, pack, unpack
from ei.registry.releases import (
    Approval,
    Release,
    entry_of,
    parse_custom,
    parse_release_name,
    release_of,
    target_path,
)

RELEASE = Release(
    name="hello", version="0.1.0", number=NUMBER, digest="sha256:" + "a" * 64, size_bytes=1
)


def test_an_entry_of_the_log_has_golden_bytes() -> None:
    assert entry_of(RELEASE) == (
        b'{"digest":"sha256:' + b"a" * 64 + b'","kind":"module","name":"hello",'
        b'"number":4026531841,"version":"0.1.0"}'
    )


def test_a_release_is_what_its_package_says(tmp_path: Path) -> None:
    folder = write_module(tmp_path / "hello", version="1.2.3")
    package = pack(folder)

    certificate = certificate_of(package)

    release = release_of(package, unpack(package), certificate=certificate)

    assert str(release) == "hello@1.2.3"
    assert (release.digest, release.size_bytes) == (digest_of(package), len(package))
    assert release.certificate == digest_of(certificate)
    for wrong in (b"{}", b"\xff", certificate_of(b"another")):
        with pytest.raises(IntegrityError):
            _ = release_of(package, unpack(package), certificate=wrong)
    assert target_path("hello", "1.2.3") == "hello/1.2.3.eim"


@pytest.mark.parametrize(
    "manifest", [b"", b"\xff", b"id = 1", b'id = 1\nname = "../x"\nversion = "1.0.0"']
)
def test_a_package_without_a_manifest_is_refused(manifest: bytes) -> None:
    with pytest.raises(IntegrityError) as caught:
        _ = release_of(b"", {"manifest.toml": manifest})

    assert caught.value.word == "package"


def test_a_bundle_is_one_too() -> None:
    files = {"bundle.toml": b'id = 112\nname = "shrink"\nversion = "1.0.0"\nservices = []'}

    assert release_of(b"", files).kind == "bundle"


@pytest.mark.parametrize(
    "text", ["", "hello", "hello@", "@1", "Hello@1.0.0", "a/b@1.0.0", "a@../1"]
)
def test_what_is_no_release_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a release as name@version"):
        _ = parse_release_name(text)


def test_a_release_is_named_by_name_and_version() -> None:
    assert parse_release_name("hello@0.1.0-rc.1+x") == ("hello", "0.1.0-rc.1+x")


@pytest.mark.parametrize(
    "custom", [None, 1, {}, {"number": 0, "entry": 1}, {"number": 1, "entry": -1}]
)
def test_what_governance_does_not_say_is_refused(custom: object) -> None:
    with pytest.raises(IntegrityError) as caught:
        _ = parse_custom(custom, Approval)

    assert caught.value.word == "malformed"
