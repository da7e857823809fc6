"""The decision cache, said as simply as possible: what the native one is compared with.

Where the native code is free to choose (which entry a full cache forgets, which tags share a slot)
the model follows it exactly, so that the two agree in every answer, not just in most.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from ei.sdk.decisions import Decision, Discard, Forward, Hop, Pass
from ei.sdk.packets import Address
from ei.testing.stage_model import ObjectsModel, StageUse, run_stages
from ei.testing.table_model import Entry, Key, Part, Question, TableModel

Outcome = tuple[object, ...]
"""As `ei._core.DecisionCache.decide` returns it: its kind, then what belongs to that."""


@dataclass(frozen=True, slots=True)
class ServiceModel:
    """A service as the cache knows it; the words are those of `ei._core.Datapath.add_service`."""

    number: int
    match_metadata: int | None = None
    reads_payload: bool = False
    max_objects: int = 65_536

    @property
    def match_bytes(self) -> int:
        """Bytes of metadata that it reads."""
        return 255 if self.match_metadata is None else self.match_metadata


@dataclass(frozen=True, slots=True)
class _Chain:
    """Services in the order of visits; the generation tells one configuration from the next."""

    services: tuple[int, ...]
    generation: int


@dataclass(frozen=True, slots=True)
class _Missing:
    """The service at `position` has to be asked, after `stages` have run."""

    position: int
    service: int
    stages: tuple[StageUse, ...]


@dataclass(frozen=True, slots=True)
class _Refused:
    """There is nobody to ask."""

    reason: str


class DecisionModel:
    """All decisions of one datapath.

    Args:
        entries: Most entries; 0 keeps nothing.
        tag_slot: Tags of one slot are revoked together (natively a keyed hash).
        key_slot: The same for the keys of joined answers, by service and cut question.
    """

    def __init__(
        self,
        *,
        entries: int,
        tag_slot: Callable[[bytes], int],
        key_slot: Callable[[int, Question], int],
    ) -> None:
        self._table = TableModel(entries=entries)
        self._tag_slot = tag_slot
        self._key_slot = key_slot
        self._services: dict[int, ServiceModel] = {}
        self._objects: dict[int, ObjectsModel] = {}
        self._chains: dict[int, _Chain] = {}
        self._guards: dict[Address, _Chain] = {}
        self._generations = count(1)
        self._revoked_tags: dict[tuple[int, int], int] = {}
        self._replaced_keys: dict[tuple[int, int], int] = {}
        self._lost_peers: dict[Address, int] = {}
        self.epoch = 0

    def __len__(self) -> int:
        """Entries kept, valid or not."""
        return len(self._table)

    # -- configuration --------------------------------------------------------------------------

    def add_service(self, service: ServiceModel) -> None:
        """Run a service here."""
        self.epoch += 1
        self._services[service.number] = service
        self._objects[service.number] = ObjectsModel(service.number, service.max_objects)
        self.set_chain(service.number, [])

    def set_chain(self, service: int, services: list[int]) -> None:
        """Services that packets naming `service` visit; empty: it alone."""
        wanted = tuple(services) or (service,)
        before = self._chains.get(service)
        if before is None or before.services != wanted:
            self._chains[service] = _Chain(wanted, next(self._generations))

    def set_guards(self, host: Address, services: list[int]) -> None:
        """Services that run before the last pipe to `host`; empty: none."""
        wanted = tuple(services)
        before = self._guards.get(host)
        if not wanted:
            _ = self._guards.pop(host, None)
        elif before is None or before.services != wanted:
            self._guards[host] = _Chain(wanted, next(self._generations))
        self.lose_peer(host)

    # -- revocation -----------------------------------------------------------------------------

    def revoke(self, service: int, tag: bytes) -> None:
        """Void every decision of the service with this tag."""
        self.epoch += 1
        self._revoked_tags[service, self._tag_slot(tag)] = self.epoch

    def lose_peer(self, peer: Address) -> None:
        """Void every decision that names the peer as a hop."""
        self.epoch += 1
        self._lost_peers[peer] = self.epoch

    # -- installation ---------------------------------------------------------------------------

    def install(self, now_ns: int, service: int, decision: Decision, epoch: int) -> str:
        """Install a decision from an event of `epoch`: "installed", "stale" or "refused"."""
        question = _question_of(service, decision)
        chain = self._chain(question)
        hops = decision.action.hops if isinstance(decision.action, Forward) else ()
        if chain is None or service not in chain.services or (hops and question.egress):
            return "refused"
        tag_slot = self._tag_slot(decision.tag)
        lost = [self._lost_peers.get(hop.to, 0) for hop in hops]
        if max([self._revoked_tags.get((service, tag_slot), 0), *lost]) > epoch:
            return "stale"
        stages = self._objects[service].resolve(now_ns, decision.stages)
        if stages is None:
            return "refused"
        guarded = tuple(hop.to in self._guards for hop in hops)
        key = self._place(service, chain, question, is_guarded=any(guarded))
        entry = Entry(
            action=decision.action,
            guarded=guarded,
            stages=stages,
            parts=(Part(service, tag_slot, key_slot=None),),
            expires_ns=now_ns + _nanoseconds(decision.ttl_s),
            revision=self.epoch,
        )
        self._table.insert(key, entry)
        return "installed"

    def _place(self, service: int, chain: _Chain, question: Question, *, is_guarded: bool) -> Key:
        """Where an answer is kept: as the chain's if it is all there is to it, else as its part."""
        chain_key, part_key = self._chain_key(chain, question), self._part_key(service, question)
        is_simple = _is_simple(chain, question)
        if is_simple and not is_guarded:
            key, other = chain_key, part_key
        else:
            self.epoch += 1
            self._replaced_keys[service, self._key_slot(service, part_key.question)] = self.epoch
            key, other = part_key, chain_key
        if is_simple and self._guards:
            self._table.forget(other)
        return key

    # -- what holds -----------------------------------------------------------------------------

    def _find(self, now_ns: int, key: Key) -> Entry | None:
        """The valid entry of `key`; one that does not hold any more is forgotten."""
        entry = self._table.get(key)
        if entry is not None and not self._holds(now_ns, entry):
            self._table.forget(key)
            return None
        return entry

    def _holds(self, now_ns: int, entry: Entry) -> bool:
        since = entry.revision
        return (
            entry.expires_ns > now_ns
            and all(self._part_holds(part, since) for part in entry.parts)
            and all(self._lost_peers.get(hop.to, 0) <= since for hop in entry.hops)
            and all(self._objects[stage.service].holds(stage) for stage in entry.stages)
        )

    def _part_holds(self, part: Part, since: int) -> bool:
        revoked = self._revoked_tags.get((part.service, part.tag_slot), 0)
        replaced = (
            0
            if part.key_slot is None
            else self._replaced_keys.get((part.service, part.key_slot), 0)
        )
        return revoked <= since and replaced <= since

    # -- keys -----------------------------------------------------------------------------------

    def _chain(self, question: Question) -> _Chain | None:
        if question.egress:
            return self._guards.get(question.egress)
        return self._chains.get(question.service)

    def _match_bytes(self, chain: _Chain) -> int:
        return max(self._services[number].match_bytes for number in chain.services)

    def _reads_payload(self, chain: _Chain) -> bool:
        return any(self._services[number].reads_payload for number in chain.services)

    def _chain_key(self, chain: _Chain, question: Question) -> Key:
        return Key(None, chain.generation, _cut(question, self._match_bytes(chain)))

    def _part_key(self, service: int, question: Question) -> Key:
        return Key(service, 0, _cut(question, self._services[service].match_bytes))

    # -- decisions ------------------------------------------------------------------------------

    def decide(
        self,
        now_ns: int,
        question: Question,
        *,
        position: int = 0,
        is_covered: bool = True,
        payload_bytes: int = 0,
    ) -> Outcome:
        """What becomes of a packet before the service at `position` of its chain; stages run."""
        found = self._look_up(now_ns, question, position=position, is_covered=is_covered)
        if isinstance(found, _Refused):
            return ("dropped", found.reason)
        if not run_stages(found.stages, now_ns, payload_bytes):
            return ("dropped", "metered")
        if isinstance(found, _Missing):
            return ("missing", found.position, found.service)
        match found.action:
            case Pass():
                return ("passed",) if question.egress else ("dropped", "chain_broken")
            case Discard(reason):
                return ("discarded", found.parts[-1].service, reason)
            case Forward():
                ask = partial(
                    self.decide, now_ns, is_covered=is_covered, payload_bytes=payload_bytes
                )
                return _forwarded(question, found, ask)

    def _look_up(
        self, now_ns: int, question: Question, *, position: int, is_covered: bool
    ) -> Entry | _Missing | _Refused:
        chain = self._chain(question)
        if chain is None:
            return _Refused("unknown_service")
        if self._reads_payload(chain) and not is_covered:
            return _Refused("not_covered")
        if position == 0:
            entry = self._find(now_ns, self._chain_key(chain, question))
            if entry is not None:
                return entry
            if _is_simple(chain, question) and not self._guards:
                return _Missing(0, chain.services[0], ())
        return self._walk(now_ns, chain, question, position)

    def _walk(
        self, now_ns: int, chain: _Chain, question: Question, position: int
    ) -> Entry | _Missing | _Refused:
        """Part after part; when all are there, they are joined and kept as one."""
        parts: list[Entry] = []
        for at, service in enumerate(chain.services[position:], start=position):
            key = self._part_key(service, question)
            part = self._find(now_ns, key)
            if part is None:
                return _Missing(at, service, _joined_stages(parts))
            key_slot = self._key_slot(service, key.question)
            named = replace(part.parts[0], key_slot=key_slot)
            parts.append(replace(part, parts=(named,)))
            if not isinstance(part.action, Pass):
                break
        if not parts or (isinstance(parts[-1].action, Pass) and not question.egress):
            return _Refused("chain_broken")
        joined = self._join(parts)
        joined, is_complete = self._join_guards(now_ns, chain, question, joined)
        if position == 0 and is_complete:
            self._table.insert(self._chain_key(chain, question), joined)
        return joined

    def _join(self, parts: list[Entry]) -> Entry:
        return Entry(
            action=parts[-1].action,
            guarded=parts[-1].guarded,
            stages=_joined_stages(parts),
            parts=tuple(part for entry in parts for part in entry.parts),
            expires_ns=min(entry.expires_ns for entry in parts),
            revision=self.epoch,
        )

    def _join_guards(
        self, now_ns: int, chain: _Chain, question: Question, joined: Entry
    ) -> tuple[Entry, bool]:
        """Join what the guards of a single hop decided; also whether that is worth keeping."""
        if joined.guarded != (True,):
            return joined, True
        hop = joined.hops[0]
        guards = self._guards[hop.to]
        sees_more = self._match_bytes(guards) > self._match_bytes(chain)
        if (hop.metadata is None and sees_more) or self._reads_payload(guards):
            return joined, True
        asked = _asked_of_guards(question, hop)
        said = self._look_up(now_ns, asked, position=0, is_covered=True)
        if not isinstance(said, Entry):
            return joined, False
        both = replace(
            joined,
            stages=joined.stages + said.stages,
            parts=joined.parts + said.parts,
            expires_ns=min(joined.expires_ns, said.expires_ns),
            revision=self.epoch,
            guarded=(False,),
        )
        if isinstance(said.action, Pass):
            return both, True
        return replace(both, action=said.action, guarded=()), True

    def read_tally(self, service: int, name: bytes) -> tuple[int, int]:
        """Packets and payload bytes of a tally; zero when there is none."""
        return self._objects[service].read_tally(name)


def _forwarded(question: Question, entry: Entry, ask: Callable[[Question], Outcome]) -> Outcome:
    """One copy per hop; guards are asked about theirs, and their word on an only copy is final."""
    is_only = len(entry.hops) == 1
    copies: list[Outcome] = []
    for hop, is_guarded in zip(entry.hops, entry.guarded, strict=True):
        said = ask(_asked_of_guards(question, hop)) if is_guarded else None
        if is_only and said is not None and said != ("passed",):
            return said
        changed = (hop.connection, hop.metadata, hop.source)
        copies.append((hop.to, *changed, None if is_only else said))
    return ("forwarded", copies)


def _question_of(service: int, decision: Decision) -> Question:
    key = decision.key
    return Question(
        service=key.service or service,
        ingress=key.ingress,
        source=key.source,
        connection=key.connection,
        metadata=key.metadata,
        egress=key.egress,
    )


def _cut(question: Question, match_bytes: int) -> Question:
    """The question as far as an answer depends on it."""
    if len(question.metadata) <= match_bytes:
        return question
    return replace(question, metadata=question.metadata[:match_bytes])


def _is_simple(chain: _Chain, question: Question) -> bool:
    return len(chain.services) == 1 and not question.egress


def _asked_of_guards(question: Question, hop: Hop) -> Question:
    return replace(
        question,
        source=question.source if hop.source is None else hop.source,
        connection=question.connection if hop.connection is None else hop.connection,
        metadata=question.metadata if hop.metadata is None else hop.metadata,
        egress=hop.to,
    )


def _joined_stages(parts: list[Entry]) -> tuple[StageUse, ...]:
    return tuple(stage for entry in parts for stage in entry.stages)


def _nanoseconds(ttl_s: float) -> int:
    """Rounded up, so that a lifetime above zero is never none."""
    nanoseconds = int(ttl_s * 1e9)
    return nanoseconds if nanoseconds == ttl_s * 1e9 else nanoseconds + 1
