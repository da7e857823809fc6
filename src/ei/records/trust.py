"""Trust roots: which key speaks for a domain, from configuration."""

from ei.errors import ConfigError
from ei.records.addresses import KEY_BYTES

Trust = dict[str, str]
"""Domain name to its Ed25519 key as 64 hexadecimal digits."""


def check_trust(trust: Trust, *, is_governed: bool = False) -> None:
    """Check the `[trust]` table of a configuration.

    Args:
        is_governed: The configuration names a governance as well, so the table may be empty.

    Raises:
        ConfigError: a key that is none; nobody is trusted.
    """
    if not trust and not is_governed:
        raise ConfigError(
            "[trust] names no domain, so no record could be believed",
            remedy='Add the domains whose keys you know: [trust] isp-a = "<64 hex digits>";'
            ' or name who lists them: governance = "governance.toml"',
        )
    _ = trusted_keys(trust)


def trusted_keys(trust: Trust) -> dict[str, bytes]:
    """Return the keys of a `[trust]` table by domain name.

    Raises:
        ConfigError: a key that is none.
    """
    return {domain: parse_key(text, where=f"trust.{domain}") for domain, text in trust.items()}


def parse_key(text: str, *, where: str) -> bytes:
    """Return the Ed25519 key that 64 hexadecimal digits of a configuration write.

    Raises:
        ConfigError: they do not; it names `where`.
    """
    try:
        key = bytes.fromhex(text)
    except ValueError as error:
        raise ConfigError(f"{where}: {text!r} is not hexadecimal: {error}") from error
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{where}: {len(key)} bytes seen, an Ed25519 key has {KEY_BYTES}")
    return key
