"""Trust roots: which key speaks for a domain, from configuration."""

from ei.errors import ConfigError
from ei.records.addresses import KEY_BYTES

Trust = dict[str, str]
"""Domain name to its Ed25519 key as 64 hexadecimal digits."""


def check_trust(trust: Trust) -> None:
    """Check the `[trust]` table of a configuration.

    Raises:
        ConfigError: a key that is none; nobody is trusted.
    """
    _ = trusted_keys(trust)


def trusted_keys(trust: Trust) -> dict[str, bytes]:
    """Return the keys of a `[trust]` table by domain name.

    Raises:
        ConfigError: see `check_trust`.
    """
    if not trust:
        raise ConfigError(
            "[trust] names no domain, so no record could be believed",
            remedy='Add the domains whose keys you know: [trust] isp-a = "<64 hex digits>"',
        )
    keys: dict[str, bytes] = {}
    for domain, text in trust.items():
        try:
            keys[domain] = bytes.fromhex(text)
        except ValueError as error:
            raise ConfigError(f"trust.{domain}: {text!r} is not hexadecimal: {error}") from error
        if len(keys[domain]) != KEY_BYTES:
            raise ConfigError(
                f"trust.{domain}: {len(keys[domain])} bytes seen, an Ed25519 key has {KEY_BYTES}"
            )
    return keys
