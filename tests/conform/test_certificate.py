import msgspec
import pytest

from ei.conform.certificate import (
    Certificate,
    LawResult,
    Played,
    Surroundings,
    read_certificate,
    write_certificate,
)

DIGEST = f"sha256:{64 * '0'}"


def certificate(*laws: LawResult) -> Certificate:
    return Certificate(
        module="planted",
        version="0.0.1",
        digest=DIGEST,
        engine="python",
        compat="2026-11-30",
        environment=Surroundings("0.1.0", "2026-11-30", "3.11.2", "Linux x86_64"),
        corpus=Played(DIGEST, 1, 1, 256),
        laws=laws,
        effects=DIGEST,
        state=DIGEST,
    )


def test_it_is_kept_unless_a_law_is_broken() -> None:
    kept = LawResult("function", "kept")

    assert certificate(kept, LawResult("stages", "none")).is_kept
    assert not certificate(kept, LawResult("bounded", "broken", "drawn", 7, "why")).is_kept


def test_it_is_read_as_it_was_written() -> None:
    written = certificate(LawResult("bounded", "broken", "drawn", 7, "why"))

    assert read_certificate(write_certificate(written)) == written


def test_another_schema_is_refused() -> None:
    other = msgspec.structs.replace(certificate(), schema="ei.certificate/2")

    with pytest.raises(
        msgspec.ValidationError, match="ei.certificate/1' allowed".replace(".", r"\.")
    ):
        _ = read_certificate(write_certificate(other))
