"""What a node says of the registry that it follows."""

import msgspec


class FollowedStatus(msgspec.Struct, frozen=True):
    """One service or bundle whose versions the registry says.

    Attributes:
        version, digest: Of the newest release that governance has approved; empty without one.
        share: Of the nodes that should run it, 0.0 to 1.0.
        is_taken: Whether it runs here.
        trouble: Why it does not run though this node is in its share, or why nothing runs.
    """

    service: str
    version: str = ""
    digest: str = ""
    share: float = 0.0
    is_taken: bool = False
    trouble: str = ""


class RegistryStatus(msgspec.Struct, frozen=True):
    """A registry, as a node has followed it.

    Attributes:
        version: Of what the registry says; it grows with every change.
        seen_unix_s: When it was last heard and believed; 0 for never.
        expires_unix_s: By when it has to say something newer.
        trouble: Why what it says now is not believed, by word and sentence; empty when it is.
        refused: Release to the word for which it does not count.
        polls: How often it was asked, by what came of it.
        changes: How often a version changed, by why: `taken`, `rolled_back`, `revoked`, `refused`
            (it does not start), `rate_limited` (it has to wait), `failed` (it could not be
            fetched or kept, or a part of the bundle is not here, and is tried again).
        bundles: As `services`.
    """

    url: str
    version: int
    seen_unix_s: float
    expires_unix_s: float
    trouble: str
    refused: dict[str, str]
    services: tuple[FollowedStatus, ...]
    polls: dict[str, int] = {}
    changes: dict[str, int] = {}
    bundles: tuple[FollowedStatus, ...] = ()
