"""Trust roots are keys, and somebody must be trusted."""

import pytest

from ei.errors import ConfigError
from ei.records.trust import check_trust, trusted_keys

KEY = "ab" * 32


def test_keys_come_out_as_bytes() -> None:
    assert trusted_keys({"isp-a": KEY}) == {"isp-a": b"\xab" * 32}


@pytest.mark.parametrize(
    ("trust", "said"),
    [
        ({}, "names no domain"),
        ({"isp-a": "xy"}, r"trust\.isp-a: 'xy' is not hexadecimal"),
        ({"isp-a": "ab"}, r"trust\.isp-a: 1 bytes seen, an Ed25519 key has 32"),
    ],
)
def test_what_is_no_key_is_named(trust: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_trust(trust)


def test_who_names_a_governance_need_not_trust_anybody_else() -> None:
    check_trust({}, is_governed=True)

    with pytest.raises(ConfigError, match=r"trust\.isp-a"):
        check_trust({"isp-a": "xy"}, is_governed=True)
