import pytest
from tests.registry.world import AUTHOR, NOW, keys_of
from tuf.api.metadata import Metadata, Targets

from ei.errors import ConflictError, IntegrityError
from ei.registry.metadata import sign_metadata
from ei.registry.releases import Release
from ei.registry.submitting import (
    KEY,
    read_submission,
    sign_submission,
    submission_place,
    submitted,
)


def release(version: str, digit: str = "a") -> Release:
    digest = "sha256:" + digit * 64
    return Release(name="hello", version=version, number=1, digest=digest, size_bytes=1)


ONE = sign_submission(release("1.0.0"), None, AUTHOR, unix_s=NOW)
TWO = sign_submission(release("2.0.0"), ONE, AUTHOR, unix_s=NOW)


def test_an_authors_role_grows() -> None:
    read = read_submission(TWO)

    assert (read.key, read.targets.version) == (AUTHOR.identity_key, 2)
    assert list(read.targets.targets) == ["hello/1.0.0.eim", "hello/2.0.0.eim"]
    assert submitted(TWO, release("2.0.0"), ONE, owner=None) == read
    assert submission_place("hello") == "submissions/author-hello.json"


def test_the_same_submission_again_is_no_error() -> None:
    assert submitted(ONE, release("1.0.0"), ONE, owner=AUTHOR.identity_key).targets.version == 1


def test_a_version_never_changes() -> None:
    with pytest.raises(ConflictError, match=r"hello@1\.0\.0 is there with another digest"):
        _ = sign_submission(release("1.0.0", "b"), ONE, AUTHOR, unix_s=NOW)

    forged = sign_submission(release("1.0.0", "b"), None, AUTHOR, unix_s=NOW)
    with pytest.raises(ConflictError, match="another digest"):
        _ = submitted(forged, release("1.0.0", "b"), ONE, owner=None)


def test_what_goes_back_is_refused() -> None:
    other = sign_submission(release("3.0.0"), None, AUTHOR, unix_s=NOW)

    with pytest.raises(ConflictError, match="does not go on from what is there: version 1 after 2"):
        _ = submitted(other, release("3.0.0"), TWO, owner=None)


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_name_belongs_to_its_author(is_approved: bool) -> None:  # noqa: FBT001 a parameter
    thief = keys_of("thief")
    forged = sign_submission(release("2.0.0"), None, thief, unix_s=NOW)
    before, owner = (None, AUTHOR.identity_key) if is_approved else (ONE, None)

    with pytest.raises(ConflictError, match="hello belongs to the key"):
        _ = submitted(forged, release("2.0.0"), before, owner=owner)
    with pytest.raises(ConflictError, match="hello belongs to the key"):
        _ = sign_submission(release("2.0.0"), ONE, thief, unix_s=NOW)


def test_what_is_not_signed_is_refused() -> None:
    with pytest.raises(IntegrityError) as caught:
        _ = submitted(ONE, release("1.0.0", "b"), None, owner=None)
    assert caught.value.word == "unsigned"

    for key in (keys_of("thief").identity_key.hex(), "zz", 7):
        forged = Metadata[Targets].from_bytes(ONE)
        forged.signed.unrecognized_fields[KEY] = key
        sign_metadata(forged, AUTHOR)
        with pytest.raises(IntegrityError):
            _ = read_submission(forged.to_bytes())
