"""Which domains a host's packets must not pass, and which they must. Pure.

They bind the choice of the route at every node that keeps to them; no guarantee against one that
lies. What a host says of it travels in the metadata of delivery, for nodes and domains to see.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from ei.errors import ConfigError
from ei.records.kinds import DomainRecord
from ei.sdk.packets import Address
from ei.sdk.ways import MAX_CONSTRAINTS, Way, write_way


class Constraints:
    """What a host asks of the ways of its packets; without any it asks nothing."""

    def __init__(self, avoid: tuple[int, ...] = (), require: tuple[int, ...] = ()) -> None:
        self.avoid = avoid
        self.require = require

    def __repr__(self) -> str:
        return f"<Constraints avoid {list(self.avoid)}, require {list(self.require)}>"

    def metadata(self, to: Address) -> bytes:
        """Return the metadata of a packet of delivery to a host."""
        if not self.avoid and not self.require:
            return to
        return write_way(Way(to, avoid=self.avoid, require=self.require))


def constraints_of(
    domains: Mapping[str, DomainRecord], *, avoid: Iterable[str], require: Iterable[str]
) -> Constraints:
    """Return the constraints that names of domains mean.

    Raises:
        ConfigError: a domain is not known, is both avoided and required, or they are more than 8.
    """
    avoided, required = tuple(dict.fromkeys(avoid)), tuple(dict.fromkeys(require))
    if both := set(avoided) & set(required):
        raise ConfigError(f"{', '.join(sorted(both))}: avoided and required at once")
    if (count := len(avoided) + len(required)) > MAX_CONSTRAINTS:
        raise ConfigError(
            f"{count} domains are avoided or required; allowed are {MAX_CONSTRAINTS} in all"
        )
    return Constraints(
        tuple(_number(name, domains) for name in avoided),
        tuple(_number(name, domains) for name in required),
    )


def _number(name: str, domains: Mapping[str, DomainRecord]) -> int:
    if name in domains:
        return domains[name].number
    near = get_close_matches(name, domains, n=1)
    hint = f"; did you mean {near[0]}?" if near else f"; {len(domains)} are known"
    raise ConfigError(f"no domain is called {name!r}{hint}")
