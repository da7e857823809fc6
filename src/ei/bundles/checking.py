"""All that is checked of a bundle before it is published, or run, and what it would cost.

Nothing of its services runs: their manifests say enough.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ei.bundles import kinds
from ei.bundles.bundle import FILE, Bundle, load_bundle
from ei.bundles.expanding import Chain, Known, expand
from ei.bundles.faults import Fault, Lines
from ei.errors import ConfigError

STATES = ("recomputable", "durable", "replicated")
ROOM_BYTES = 1_280
"""The longest payload that hosts may rely on, when no service adds to it."""
SEPARATES = "same_operator"
"""The word by which a service refuses to run at both ends of a way at one operator's nodes."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a chain costs at most.

    Attributes:
        nodes: That have it, on the way.
        adds_bytes: By which a payload grows on all of that way.
        payload_bytes: The longest payload that still fits.
        first_ms: CPU time that the first packet of a flow may take, at all nodes together; the next
            ones are answered by one cached decision at each.
        state: What the loss of a node may cost: the class of its service that keeps least.
    """

    nodes: int
    adds_bytes: int
    payload_bytes: int
    first_ms: int
    state: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found.

    Attributes:
        chain: `None` where there is none.
        budget: Of the chain.
        faults: Why the bundle is refused; none when it is not.
    """

    bundle: Bundle
    chain: Chain | None
    budget: Budget | None
    faults: tuple[Fault, ...]

    def content(self) -> dict[str, object]:
        """Return it for JSON."""
        links = () if self.chain is None else self.chain.links
        return {
            "bundle": self.bundle.title,
            "id": self.bundle.id,
            "chain": [
                {
                    "service": link.name,
                    "version": link.manifest.version,
                    "via": list(link.via),
                    "at": link.at,
                    "is_behind": link.is_behind,
                }
                for link in links
            ],
            "budget": None if self.budget is None else asdict(self.budget),
            "faults": [fault.content() for fault in self.faults],
        }


def check_bundle(folder: Path, known: Known) -> Checked:
    """Check the bundle of a folder.

    Args:
        known: Of what it may be made.

    Raises:
        ConfigError: its file cannot be read, or a field is wrong.
    """
    bundle = load_bundle(folder)
    lines = Lines((folder / FILE).read_text())
    expansion = expand(bundle, known, lines)
    chain, faults = expansion.chain, expansion.faults
    if chain is None:
        return Checked(bundle, None, None, tuple(faults))
    budget = budget_of(chain, nodes=bundle.nodes)
    if not faults:
        faults += kinds.faults_of(
            chain,
            bundle.takes,
            bundle.gives,
            line=lines.of_key("gives"),
            known=known.services.values(),
        )
    faults += _faults_of_readers(chain)
    faults += _faults_of_constraints(bundle, chain, lines)
    faults += _faults_of_budget(bundle, budget, lines)
    return Checked(bundle, chain, budget, tuple(faults))


def refuse_faults(checked: Checked, folder: Path) -> Chain:
    """Return the chain of a bundle that has no fault.

    Raises:
        ConfigError: it has one: the first.
    """
    if checked.faults or checked.chain is None:
        fault = checked.faults[0]
        place = f"{folder / FILE}:{fault.line}"
        raise ConfigError(f"{place}: {fault.code}: {fault.said}", remedy=fault.fix)
    return checked.chain


def budget_of(chain: Chain, *, nodes: int) -> Budget:
    """Return what a chain costs at most on a way of so many nodes."""
    adds_bytes = first_ms = 0
    for link in chain.links:
        times = nodes if link.at == "every" else 1
        if link.is_behind and link.at == "every":
            times -= 1  # the last node has no pipe to another
        adds_bytes += times * (link.port.adds_bytes if link.port else 0)
        first_ms += times * link.manifest.handler_ms
    state = min((link.manifest.state for link in chain.links), key=STATES.index)
    return Budget(nodes, adds_bytes, ROOM_BYTES - adds_bytes, first_ms, state)


def _faults_of_readers(chain: Chain) -> Iterator[Fault]:
    """A packet has one metadata, of one service."""
    readers = dict.fromkeys(link.name for link in chain.links if link.manifest.match_metadata != 0)
    names = list(readers)
    for link in chain.visits:
        if link.name in names[:-1] and len(names) > 1:
            said = f"{' and '.join(names)} read the metadata, which is of one service"
            fix = f"If {link.name} reads none, its manifest says match_metadata = 0."
            yield Fault("two_readers", link.line, said, fix)
            return


def _faults_of_constraints(bundle: Bundle, chain: Chain, lines: Lines) -> Iterator[Fault]:
    if "different_operators" not in bundle.constraints:
        return
    if not any(
        SEPARATES in (*link.manifest.drop_reasons, *link.manifest.counters) for link in chain.links
    ):
        said = "different_operators: no service of it keeps one operator from being at both ends"
        fix = f"Put in one that does, and says so by {SEPARATES} in its manifest, such as relay."
        yield Fault("one_operator", lines.of_key("constraints"), said, fix)


def _faults_of_budget(bundle: Bundle, budget: Budget, lines: Lines) -> Iterator[Fault]:
    way = f"{bundle.nodes} node{'s' * (bundle.nodes > 1)}"
    if budget.payload_bytes < max(bundle.payload_bytes, 1):
        said = (
            f"{budget.payload_bytes} B of payload fit, {bundle.payload_bytes} B are to: its"
            f" services add {budget.adds_bytes} B on a way of {way}"
        )
        fix = "Say fewer payload_bytes, or leave a service out that adds."
        yield Fault("too_small", lines.of_key("payload_bytes"), said, fix)
    if 0 < bundle.latency_ms < budget.first_ms:
        said = (
            f"the first packet may take {budget.first_ms} ms of CPU time on a way of {way},"
            f" {bundle.latency_ms} ms allowed"
        )
        fix = "Say a larger latency_ms, or leave a service out whose handler_ms is large."
        yield Fault("too_slow", lines.of_key("latency_ms"), said, fix)
