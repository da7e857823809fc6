"""Hybrid public key encryption in base mode (RFC 9180), by native code: a message and a secret.

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM. A sender draws a key for each message; what
is shared with the recipient's seals it, and makes a secret that both have.

Beside `ei.sdk`, not of it: to import that takes no native code along.
"""

from ei._core import hpke_derive as derive_key
from ei._core import hpke_open as open_from
from ei._core import hpke_seal as seal_to

KEY_BYTES = 32
ENC_BYTES = 32
"""Of an encapsulated key."""

SECRET_BYTES = 16

__all__ = ["ENC_BYTES", "KEY_BYTES", "SECRET_BYTES", "derive_key", "open_from", "seal_to"]
