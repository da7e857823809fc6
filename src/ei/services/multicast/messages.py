"""What hosts and nodes tell each other about groups. A membership counts until it is not repeated.

`Graft` and `Prune` are named as in PIM (RFC 7761), which does the same between routers.
"""

from typing import Annotated

import msgspec

Group = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]


class Join(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=0, forbid_unknown_fields=True
):
    """Host to its node: send me what is sent to `group`. Repeated."""

    group: Group


class Leave(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=1, forbid_unknown_fields=True
):
    """Host to its node: no longer."""

    group: Group


class Graft(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=2, forbid_unknown_fields=True
):
    """Node to a rendezvous of the group: I have members of `group`. Repeated."""

    group: Group


class Prune(
    msgspec.Struct, frozen=True, gc=False, array_like=True, tag=3, forbid_unknown_fields=True
):
    """Node to a rendezvous of the group: no longer."""

    group: Group
