"""How services fit together: what a payload is before one and behind it, said in its manifest.

    takes = ["plain", "compressed"]     what it can work on; by default all: it does not look
    gives = "plain"                     what it makes of that; by default what came
    adds_bytes = 16                     by which a payload grows at most
    hands_on = true                     packets go on to the next service of a chain

    [before_pipe]                       what it does instead behind the service that sends
    takes = ["plain"]
    gives = "compressed"

From these words alone the checker of bundles derives every order that is not allowed.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Kind = Literal["plain", "compressed", "sealed", "private"]
"""What a payload is to whoever looks at it."""

KINDS: Mapping[Kind, str] = {
    "plain": "as the application wrote it",
    "compressed": "smaller, and to be read by who can decompress it",
    "sealed": "to be read by who has the key",
    "private": "of somebody whom nobody may know: it is kept nowhere, and looked at by nobody",
}

EVERY_KIND: tuple[Kind, ...] = ("plain", "compressed", "sealed", "private")
MAX_ADDED_BYTES = 1_024

Takes = Annotated[
    tuple[Kind, ...],
    Meta(min_length=1, description=f"a list of {', '.join(EVERY_KIND)}"),
]
Gives = Annotated[Kind | None, Meta(description=", ".join(EVERY_KIND))]
AddsBytes = Annotated[
    int, Meta(ge=0, le=MAX_ADDED_BYTES, description=f"0 to {MAX_ADDED_BYTES} bytes")
]


class Port(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a service takes and gives at one place of a chain.

    Attributes:
        takes: What it can work on.
        gives: What it makes of that; `None` for what came.
        adds_bytes: By which a payload grows at most.
    """

    takes: Takes = EVERY_KIND
    gives: Gives = None
    adds_bytes: AddsBytes = 0

    def out(self, kind: Kind) -> Kind | None:
        """Return what a payload is behind it; `None` where it does not take it."""
        if kind not in self.takes:
            return None
        return self.gives or kind
