"""Ledger that starts, and ends its process at the first packet."""

from collections.abc import Iterable

from ei.sdk import Context, Effect, PacketArrived, Service


class Ledger(Service[None]):
    """Keeps nothing."""

    __slots__ = ()

    def on_packet(self, event: PacketArrived, ctx: Context[None]) -> Iterable[Effect]:
        """Die."""
        raise SystemExit(3)


SERVICE = Ledger
