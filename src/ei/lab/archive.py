"""The signed records of a lab, and what the residents of each domain have of them. Pure.

Domains, nodes and groups are known to everybody; hosts, and where they are attached, to the nodes
of their home domain and of those where they are attached. All else the directory says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ei.lab.population import LIFETIME_S, Population
from ei.records.envelope import open_record
from ei.records.kinds import AttachmentRecord, Enrolment
from ei.records.lists import is_list
from ei.records.record_set import RecordSet, verify_records, with_records
from ei.routing import Atlas
from ei.sdk.packets import domain_number_of


class Archive:
    """All envelopes; sets of them are verified once for each domain.

    Args:
        population: Of the lab.
        nodes: Envelopes of its nodes.
        unix_s: Wall clock.

    Attributes:
        atlas: Of all domains and nodes.
    """

    def __init__(self, population: Population, nodes: Iterable[bytes], *, unix_s: float) -> None:
        self._population = population
        self._public = [*population.public, *nodes]
        self._private = {name: list(own) for name, own in population.private.items()}
        self._names = {plan.number: plan.name for plan in population.topology.domains.values()}
        self._unix_s = unix_s
        self._base = self._verified(())
        self.atlas = Atlas(self._base)
        self._views: dict[str, RecordSet] = {}

    def view(self, domain: str) -> RecordSet:
        """Return what the nodes and hosts of a domain have."""
        if domain not in self._views:
            self._views[domain] = with_records(
                self._base,
                self._private[domain],
                unix_s=self._unix_s,
                attachment_limit_s=LIFETIME_S,
            )
        return self._views[domain]

    def add(self, envelopes: Iterable[bytes], *, unix_s: float) -> RecordSet:
        """Take further records and lists; return what is public, with all that was refused."""
        self._unix_s = unix_s
        touched = {place for envelope in envelopes for place in self._file(envelope)}
        self._base = self._verified(self._base.lists)
        self.atlas = Atlas(self._base)
        self._views.clear()
        private = [refusal for name in sorted(touched) for refusal in self.view(name).refused]
        return replace(self._base, refused=(*self._base.refused, *private))

    def _file(self, envelope: bytes) -> list[str]:
        record = None if is_list(envelope) else open_record(envelope)[0]
        match record:
            case Enrolment(address=host) | AttachmentRecord(host=host):
                home = self._names[domain_number_of(host)]
                name = self._population.names.get(host, "")
                plan = self._population.topology.hosts.get(name)
                abroad = () if plan is None else (node.partition(".")[2] for node in plan.nodes)
                places = list(dict.fromkeys((home, *abroad)))
                for place in places:
                    self._private[place].append(envelope)
                return places
            case _:
                self._public.append(envelope)
                return []

    def _verified(self, known: Iterable[bytes]) -> RecordSet:
        keys: Mapping[str, bytes] = {
            name: keys.identity_key for name, keys in self._population.domains.items()
        }
        return verify_records(
            self._public,
            trust=keys,
            unix_s=self._unix_s,
            attachment_limit_s=LIFETIME_S,
            governance=self._population.governance,
            known=known,
        )
