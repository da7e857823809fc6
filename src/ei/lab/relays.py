"""The links of a lab whose daemons are real: made, changed and counted by its supervisor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import msgspec

from ei._core import Link, Shaper
from ei.errors import NotFoundError
from ei.lab.layout import Relay
from ei.lab.namespaces import Namespaces, inside
from ei.lab.network import make_link
from ei.lab.seeds import derive_number
from ei.lab.topology import Impairment, ends, suggestion
from ei.lab.underlay import Underlay

if TYPE_CHECKING:
    from ei.lab.run_folder import LabFile


class Relays:
    """All links of one lab: a relay between EI sockets for each link that the topology has.

    In a lab of namespaces the packets of foreign programs go by the same properties, and links
    between any two names can be changed.

    Args:
        lab: Content of its `lab.json`.
    """

    def __init__(self, lab: LabFile) -> None:
        self._lab = lab
        self._shaper = Shaper()
        self._underlay: Underlay | None = None
        self._relays = {ends(relay.a, relay.b): relay for relay in lab.relays}
        self._listed = {ends(a, b): impairment for a, b, impairment in lab.listed_links}
        self._now = {
            **self._listed,
            **{link: relay.impairment for link, relay in self._relays.items()},
        }
        self._models: dict[tuple[str, str], tuple[Link, ...]] = {}
        self._earlier: dict[tuple[str, str], Counter[str]] = {}
        self._changes = 0

    def start(self, namespaces: Namespaces | None) -> None:
        """Relay from now on: between processes, or in the middle of namespaces."""
        with nullcontext() if namespaces is None else inside(namespaces.middle):
            for link, relay in self._relays.items():
                forward, backward = self._models[link] = self._make(link)
                sides = (relay.a_side, relay.a_endpoint, relay.b_side, relay.b_endpoint)
                _ = self._shaper.add(*sides, forward=forward, backward=backward)
        self._shaper.start()
        if namespaces is not None:
            self._underlay = Underlay(namespaces.tun, self._lab.addresses, link_of=self._link)
            self._underlay.start()

    def stop(self) -> None:
        """Carry nothing more. Idempotent."""
        self._shaper.stop()
        if self._underlay is not None:
            self._underlay.stop()

    def change(self, a: str, b: str, impairment: Impairment | None) -> None:
        """Give the link between two names these properties; `None`: those of the topology again.

        Raises:
            NotFoundError: there is no such link.
        """
        link = ends(a, b)
        relay = self._relays.get(link)
        if relay is None and (self._underlay is None or set(link) - self._lab.addresses.keys()):
            words = suggestion("--".join(link), [each.name for each in self._relays.values()])
            raise NotFoundError(
                f"there is no link {'--'.join(link)}{words}",
                remedy="See all that there are: ei lab status",
            )
        self._changes += 1
        self._now[link] = impairment or self._unharmed(link)
        former = self._models.get(link, ())
        if relay is not None:
            forward, backward = self._models[link] = self._make(link)
            self._shaper.change(relay.a_side, forward=forward, backward=backward)
        if self._underlay is not None:
            former += self._underlay.change(*link)
        # Read when nothing goes by them any more, so that no datagram is missed.
        self._earlier.setdefault(link, Counter()).update(_sum(former))

    def status(self) -> list[dict[str, object]]:
        """Return every link, with its properties and what it did since the start."""
        return [
            {
                "name": "--".join(link),
                "impairment": msgspec.to_builtins(impairment),
                **self._counted(link),
            }
            for link, impairment in self._now.items()
        ]

    def _make(self, link: tuple[str, str]) -> tuple[Link, Link]:
        a, b = link
        return self._link(a, b), self._link(b, a)

    def _link(self, sender: str, receiver: str) -> Link:
        link = ends(sender, receiver)
        seed = derive_number(self._lab.seed, "link", sender, receiver, str(self._changes))
        return make_link(self._now.get(link) or self._unharmed(link), seed=seed)

    def _unharmed(self, link: tuple[str, str]) -> Impairment:
        relay: Relay | None = self._relays.get(link)
        if relay is not None:
            return relay.impairment
        return self._listed.get(link, self._lab.other_links)

    def _counted(self, link: tuple[str, str]) -> dict[str, int]:
        """Return what a link did since the start, under all properties that it had."""
        models = self._models.get(link, ())
        if self._underlay is not None:
            models += self._underlay.models(*link)
        counted = _sum(models)
        counted.update(self._earlier.get(link, {}))
        return counted


def _sum(models: Iterable[Link]) -> Counter[str]:
    total = Counter[str]()
    for model in models:
        total.update(model.statistics())
    return total
