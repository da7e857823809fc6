"""What hosts and nodes tell each other about groups. What is not repeated is forgotten.

`Graft` and `Prune` are named as in PIM (RFC 7761), which does the same between routers. A tree is a
group and the node at its root.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

Group = Annotated[bytes, Meta(min_length=16, max_length=16)]
Tree = Annotated[bytes, Meta(min_length=32, max_length=32)]
Name = Annotated[bytes, Meta(min_length=16, max_length=16)]
Number = Annotated[bytes, Meta(min_length=8, max_length=8)]

MAX_NUMBERS = 128
"""In one `Missing`."""


class Join(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """Host to its node: send me what is sent to `group`. Repeated.

    Attributes:
        group: Its address.
    """

    group: Group


class Leave(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """Host to its node: no longer.

    Attributes:
        group: Its address.
    """

    group: Group


class Graft(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2, forbid_unknown_fields=True
):
    """Node to the next one towards the root: send me what comes down this tree. Repeated.

    Attributes:
        tree: The addresses of its group and of its root.
    """

    tree: Tree


class Prune(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3, forbid_unknown_fields=True
):
    """Node to the one it grafted at: no longer.

    Attributes:
        tree: The addresses of its group and of its root.
    """

    tree: Tree


class Decline(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=4, forbid_unknown_fields=True
):
    """Node to one that grafted at it: not by me, look for another.

    Attributes:
        tree: The addresses of its group and of its root.
    """

    tree: Tree


class Again(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=6, forbid_unknown_fields=True
):
    """Node that has forgotten a peer's branches, or all: graft at me again."""


class Missing(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=5, forbid_unknown_fields=True
):
    """Send these packets of a stream again: from member to node, towards the root, to the source.

    Attributes:
        group: Its address.
        source, connection: Whose stream; the connection as 8 bytes, the highest first.
        numbers: Of the packets, as the first 8 bytes of their payloads.
    """

    group: Group
    source: Name
    connection: Number
    numbers: Annotated[tuple[Number, ...], Meta(max_length=MAX_NUMBERS)]
