"""The laws, each as a check of one module on one story: what is compared with what.

Each check is itself tested by a module that breaks its law on purpose
(`tests/conform/test_planted.py`). That of the jailed worker is in `apart.py`, being a shell's.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from ei.conform.breaking import FullDisk, Switch, breakable
from ei.conform.cases import Case
from ei.conform.corpus import Sent, batches
from ei.conform.deliveries import check_fates, check_soft_decisions
from ei.conform.differences import EVENTS, answers_in_order, first_difference, shown
from ei.conform.installing import check_install_first
from ei.conform.playing import Record, make_environment, play, record
from ei.conform.reading import check_metadata_unread, check_payload_unread
from ei.conform.stages import check_stages
from ei.conform.verdicts import KEPT, Verdict, broken
from ei.runtime.faults import Fault
from ei.runtime.limits import VirtualCost
from ei.runtime.loader import load_afresh
from ei.runtime.rehearsal import replies_to

Law = Literal[
    "function", "transaction", "stable_first", "install_first", "soft_decisions", "one_fate",
    "bounded", "declared", "no_fault", "payload_unread", "metadata_unread", "batches",
    "simulation", "stages", "worker",
]  # fmt: skip

TITLES: Mapping[Law, str] = {
    "function": "1: a fresh instance for each event answers the same",
    "transaction": "2: of an event that breaks off nothing is left",
    "stable_first": "3: what could not be kept was not acknowledged, and can come again",
    "install_first": "4: what an event decides holds for its own packet",
    "soft_decisions": "5: with a cache of size 0 the same is delivered",
    "one_fate": "6: each packet has one fate",
    "bounded": "7: the bounds of manifest and tier are kept",
    "declared": "only reasons, counters, messages and capabilities of the manifest",
    "no_fault": "no event raises",
    "payload_unread": "payloads are not looked at without the capability",
    "metadata_unread": "no more metadata is read than decisions match",
    "batches": "events that share a batch are handled as each alone",
    "simulation": "at virtual costs, as in a simulation, the same",
    "stages": "native stages do what their references in Python do",
    "worker": "in a jailed process of its own the same",
}
"""In the order of certificates; the numbers are those of the seven laws."""

LAW_OF_CAUSE: Mapping[str, Law] = {
    "NoAnswerError": "one_fate",
    "AnsweredTwiceError": "one_fate",
    "CpuExceeded": "bounded",
    "ExceededError": "bounded",
    "MemoryError": "bounded",
    "RecursionError": "bounded",
    "UndeclaredError": "declared",
}
"""Which law an event breaks that comes to nothing, by the error; of all others `no_fault`."""


def check_function(case: Case) -> Verdict:
    """Law 1: the module is loaded afresh before each event."""
    environment = make_environment(load_afresh(case.loaded), case.story, watch=case.watch)
    fresh = play(
        environment,
        batches(case.story),
        before=lambda _sent: environment.renew(load_afresh(case.loaded)),
    )
    return _held_against(case.reference, fresh)


def check_transaction(case: Case) -> Verdict:
    """Law 2: each event first breaks off, in the middle or before it began: nobody can tell."""
    return _held_against(_spoiled(case, _at_once), _spoiled(case, _in_the_middle))


def check_stable_first(case: Case) -> Verdict:
    """Law 3: each event first finds the disk full, when it was handled or when it did nothing."""
    nothing = _spoiled(case, _at_once, is_disk_full=True)
    return _held_against(nothing, _spoiled(case, lambda _sent: None, is_disk_full=True))


def check_one_fate(case: Case) -> Verdict:
    """Law 6: each packet is answered once, and the books of a datapath balance."""
    found = _first_fault(case, "one_fate")
    return check_fates(case) if found is KEPT else found


def check_bounded(case: Case) -> Verdict:
    """Law 7: no event comes to nothing since it asked for too much."""
    return _first_fault(case, "bounded") if case.runaway is KEPT else case.runaway


def check_declared(case: Case) -> Verdict:
    """No event comes to nothing since it asked for what the manifest does not declare."""
    return _first_fault(case, "declared")


def check_no_fault(case: Case) -> Verdict:
    """No event comes to nothing for any other reason."""
    return _first_fault(case, "no_fault")


def check_batches(case: Case) -> Verdict:
    """Events of one instant come in one batch."""
    whole = record(case.loaded, case.story, is_whole=True, watch=case.watch)
    alone = answers_in_order(case.reference)
    for which, seen in answers_in_order(whole).items():
        expected = alone.get(which, [])
        for number, (one, other) in enumerate(zip(seen, expected, strict=False), 1):
            if one != other:
                at, said = number if which == EVENTS else 0, f"{shown(one)}, alone {shown(other)}"
                return broken(at, f"answer {number} {which}: in a batch {said}")
        if len(seen) != len(expected):
            return broken(0, f"{len(seen)} answers {which}, alone {len(expected)}")
    if whole.state != case.reference.state:
        return broken(case.story.events, "all effects agree, but the state in the end does not")
    return KEPT


def check_simulation(case: Case) -> Verdict:
    """Costs are virtual, as in a simulation."""
    environment = make_environment(
        load_afresh(case.loaded), case.story, cost=VirtualCost(), watch=case.watch
    )
    return _held_against(case.reference, play(environment, batches(case.story)))


CHECKS: Mapping[Law, Callable[[Case], Verdict]] = {
    "function": check_function,
    "transaction": check_transaction,
    "stable_first": check_stable_first,
    "install_first": check_install_first,
    "soft_decisions": check_soft_decisions,
    "one_fate": check_one_fate,
    "bounded": check_bounded,
    "declared": check_declared,
    "no_fault": check_no_fault,
    "payload_unread": check_payload_unread,
    "metadata_unread": check_metadata_unread,
    "batches": check_batches,
    "simulation": check_simulation,
    "stages": check_stages,
}


# -- the parts -------------------------------------------------------------------------------------


def _held_against(expected: Record, seen: Record) -> Verdict:
    difference = first_difference(seen, expected)
    return KEPT if difference is None else broken(*difference)


def _first_fault(case: Case, law: Law) -> Verdict:
    for heard in case.reference.heard:
        for fault in heard.faults:
            if _law_of(fault) == law:
                return broken(heard.sent.first, str(fault))
    return KEPT


def _law_of(fault: Fault) -> Law:
    return LAW_OF_CAUSE.get(fault.cause.partition(":")[0], "no_fault")


def _spoiled(
    case: Case, after: Callable[[Sent], int | None], *, is_disk_full: bool = False
) -> Record:
    """Play a story of which each event comes to nothing first, and then comes again."""
    switch = Switch()
    disk = FullDisk(limit_bytes=case.loaded.manifest.stable_bytes)
    environment = make_environment(
        breakable(load_afresh(case.loaded), switch), case.story, stable=disk, watch=case.watch
    )

    def spoil(sent: Sent) -> None:
        if sent.first:
            switch.after, disk.is_full = after(sent), is_disk_full
            _ = replies_to(environment, sent.batch, origin=sent.origin)
            switch.after, disk.is_full = None, False

    return play(environment, batches(case.story), before=spoil)


def _at_once(_sent: Sent) -> int:
    return 0


def _in_the_middle(sent: Sent) -> int:
    return 1 + sent.first % 3
