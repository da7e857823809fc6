"""Random stories, told to the native decision cache and to its Python model: both answer the same.

    python -m tests.native.stories [PACKETS] [SEED]         `make differential`

A story plays in a small world, in which everything happens often: chains and guards, joins, expiry,
revocation, stale installs, lost peers, full tables, meters. Each packet is one case.
"""

import sys
from random import Random

import msgspec

from ei._core import DecisionCache
from ei.runtime.batches import Answer, EffectBatch, Outcome
from ei.sdk.decisions import Action, Decision, Discard, Forward, Hop, Key, Pass
from ei.sdk.effects import InstallDecision
from ei.sdk.packets import Address, Connection
from ei.sdk.stages import Compress, Keep, Meter, Stage, Tally
from ei.testing.model import DecisionModel, ServiceModel
from ei.testing.table_model import Question

PACKETS = 1_000_000
STEPS_OF_A_STORY = 120
FATES = [
    "forwarded",
    "passed",
    "discarded",
    "missing",
    "metered",
    "chain_broken",
    "not_covered",
    "unknown_service",
]
INSTALLS = ["installed", "stale", "refused"]
SECOND_NS = 1_000_000_000

HOSTS = [Address(bytes([0xFD, 0x35, *bytes(13), number])) for number in range(1, 5)]
SERVICES = [16, 17, 20, 21, 30, 31]
CHAINS: list[tuple[int, list[int]]] = [
    (16, []),
    (16, [20, 16]),
    (16, [20, 21, 16]),
    (17, []),
    (17, [21, 17]),
]
GUARDS: list[list[int]] = [[], [30], [30, 31], [20]]
TAGS = [b"", b"red", b"green", b"blue"]
METADATA = [b"", b"a", b"ab", b"abc"]
REASONS = ["late", "spam"]


class Story:
    """One world of each kind, and what happens to both.

    Attributes:
        counts: Outcomes by kind, to see that all of them occur.
    """

    def __init__(self, seed: int, counts: dict[str, int]) -> None:
        self.counts = counts
        self.random = Random(seed)
        self.now_ns = SECOND_NS
        entries = self.random.choice([0, 2, 4, 16, 64, 256, 256, 256])
        self.native = DecisionCache(entries=entries, secret=self.random.randbytes(16))
        self.model = DecisionModel(
            entries=entries, tag_slot=self.native.tag_slot, key_slot=self.key_slot
        )
        self.epochs = [0]
        self.guarded: list[Address] = []
        self.questions = [self.new_question() for _ in range(8)]
        for number in SERVICES:
            self.add_service(number)

    def key_slot(self, service: int, question: Question) -> int:
        return self.native.key_slot(
            service,
            question.service,
            question.ingress,
            question.source,
            question.connection,
            question.metadata,
            question.egress,
        )

    def add_service(self, number: int) -> None:
        match_metadata = self.random.choice([None, None, 0, 1, 2])
        reads_payload = self.random.random() < 0.05
        max_objects = self.random.choice([0, 1, 3, 100, 100])
        self.native.add_service(
            number,
            match_metadata=match_metadata,
            reads_payload=reads_payload,
            max_objects=max_objects,
            drop_reasons=REASONS,
        )
        self.model.add_service(ServiceModel(number, match_metadata, reads_payload, max_objects))

    # -- things that happen ---------------------------------------------------------------------

    def happen(self) -> None:
        self.now_ns += self.random.choice([0, 0, 1, SECOND_NS // 100, SECOND_NS // 2])
        match self.random.randrange(100):
            case 0:
                service, services = self.random.choice(CHAINS)
                self.native.set_chain(service, services)
                self.model.set_chain(service, services)
            case 1 | 2:
                host, guards = self.random.choice(HOSTS), self.random.choice(GUARDS)
                self.native.set_guards(host, guards)
                self.model.set_guards(host, guards)
                self.guarded = [one for one in self.guarded if one != host]
                self.guarded += [host] if guards else []
            case 3 | 4 | 5:
                service, tag = self.random.choice(SERVICES), self.random.choice(TAGS)
                self.native.revoke(service, tag)
                self.model.revoke(service, tag)
            case 6:
                host = self.random.choice(HOSTS)
                self.native.lose_peer(host)
                self.model.lose_peer(host)
            case 7 | 8 | 9:
                self.install(self.random.choice(SERVICES), self.question())
            case 10:
                self.compare_tally()
            case _:
                self.packet(self.question(), position=0)
        self.epochs.append(self.native.epoch)
        assert (self.native.epoch, len(self.native)) == (self.model.epoch, len(self.model))

    def question(self) -> Question:
        return self.random.choice(self.questions)

    def new_question(self) -> Question:
        host = self.random.choice(HOSTS[:3])
        return Question(
            service=self.random.choice([16] * 12 + [17] * 6 + [99]),
            ingress=host,
            source=self.random.choice([host, host, host, HOSTS[0]]),
            connection=self.random.choice([0, 0, 0, 1]),
            metadata=self.random.choice(METADATA),
        )

    def packet(self, question: Question, *, position: int) -> None:
        """A packet asks both; mostly whoever is missing then answers, as a service would."""
        is_covered = self.random.random() < 0.95
        payload_bytes = self.random.choice([0, 10, 100])
        native = self.native.decide(
            self.now_ns,
            question.service,
            question.ingress,
            question.source,
            question.connection,
            question.metadata,
            question.egress,
            is_covered,
            payload_bytes,
            position,
        )
        model = self.model.decide(
            self.now_ns,
            question,
            position=position,
            is_covered=is_covered,
            payload_bytes=payload_bytes,
        )
        assert native == model, question
        self.count(str(native[-1]) if native[0] == "dropped" else str(native[0]))
        self.go_on(question, position, native)

    def go_on(self, question: Question, position: int, outcome: tuple[object, ...]) -> None:
        match outcome:
            case ("missing", int(at), int(service)) if self.random.random() < 0.9:
                for asked in self.asked_of(question, service):
                    self.install(service, asked)
                if self.random.random() < 0.5:
                    self.packet(question, position=self.random.choice([0, 0, max(at, position)]))
            case ("forwarded", list(copies)) if len(copies) > 1:
                for to, connection, metadata, source, said in copies:
                    if said is not None and said[0] == "missing":
                        new = Hop(to, metadata, connection, source)
                        self.install(said[2], guarded_question(question, new))
            case ("forwarded", _) if not question.egress and self.random.random() < 0.2:
                hop = Hop(self.random.choice(self.guarded or HOSTS))
                self.packet(guarded_question(question, hop), position=0)
            case _:
                pass

    def asked_of(self, question: Question, service: int) -> list[Question]:
        """What a missing service is asked: a guard about the hop (any may be it), others as is."""
        if service in {30, 31} and not question.egress:
            return [guarded_question(question, self.hop()) for _ in range(3)] + [
                guarded_question(question, Hop(host)) for host in HOSTS
            ]
        return [question]

    def install(self, service: int, question: Question) -> None:
        decision = self.decision(service, question)
        epoch = self.random.choice([self.native.epoch] * 20 + self.epochs[-10:])
        effects = (InstallDecision(decision),)
        batch = EffectBatch(0, epoch, (Answer(Outcome.NONE, "", effects),))
        native = self.native.install(self.now_ns, service, msgspec.msgpack.encode(batch))
        model = self.model.install(self.now_ns, service, decision, epoch)
        assert native == [model], decision
        self.count(model)

    def count(self, kind: str) -> None:
        self.counts[kind] += 1

    def decision(self, service: int, question: Question) -> Decision:
        key = Key(
            question.ingress,
            question.source,
            Connection(question.connection),
            question.metadata,
            question.egress,
            question.service,
        )
        stages = tuple(self.stage() for _ in range(self.random.choice([0, 0, 0, 1, 2])))
        ttl_s = self.random.choice([1e-9, 0.5, 10.0, 60.0, 3_600.0])
        return Decision(
            key, self.action(service, question), ttl_s, self.random.choice(TAGS), stages
        )

    def action(self, service: int, question: Question) -> Action:
        match self.random.randrange(10):
            case 0 if self.random.random() < 0.5:
                return Discard(self.random.choice(REASONS))
            case _ if question.egress or service not in {16, 17}:
                return Pass()
            case 1 if self.random.random() < 0.5:
                return Pass()
            case _:
                count = self.random.choice([1, 1, 1, 2, 3])
                return Forward(tuple(self.hop() for _ in range(count)))

    def hop(self) -> Hop:
        return Hop(
            self.random.choice(HOSTS),
            self.random.choice([None, None, b"new", b""]),
            self.random.choice([None, None, Connection(9)]),
            self.random.choice([None, None, None, HOSTS[0]]),
        )

    def stage(self) -> Stage:
        name = self.random.choice([b"one", b"two"])
        if self.random.random() < 0.02:
            return Compress(name, dictionary=1, ratio=10)
        kind = self.random.random()
        if kind < 0.4:
            return Tally(name)
        if kind < 0.5:
            return Keep(name, 2, 300)
        return Meter(name, self.random.choice([1, 1_000]), self.random.choice([50, 5_000]))

    def compare_tally(self) -> None:
        for service in SERVICES:
            for name in (b"one", b"two"):
                assert self.native.read_tally(service, name) == self.model.read_tally(service, name)


def guarded_question(question: Question, hop: Hop) -> Question:
    return Question(
        question.service,
        question.ingress,
        question.source if hop.source is None else hop.source,
        question.connection if hop.connection is None else hop.connection,
        question.metadata if hop.metadata is None else hop.metadata,
        hop.to,
    )


def tell_until(packets: int, *, seed: int = 0) -> dict[str, int]:
    """Tell stories of so many packets in all; return how often each thing happened.

    Raises:
        AssertionError: the two differ; says in which story.
    """
    counts = dict.fromkeys((*FATES, *INSTALLS), 0)
    while sum(counts[fate] for fate in FATES) < packets:
        tell(seed, counts)
        seed += 1
    return counts


def tell(seed: int, counts: dict[str, int]) -> None:
    """Tell one story."""
    story = Story(seed, counts)
    for step in range(STEPS_OF_A_STORY):
        try:
            story.happen()
        except AssertionError as error:
            error.add_note(f"seed {seed}, step {step}")
            raise


def main(words: list[str]) -> int:
    """Tell stories, and say how many packets both agreed on."""
    packets = int(words[0]) if words else PACKETS
    counts = tell_until(packets, seed=int(words[1]) if len(words) > 1 else 0)
    agreed = sum(counts[fate] for fate in FATES)
    said = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    _ = sys.stdout.write(f"native and model agree on {agreed:,} packets, 0 differences: {said}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
