"""What of a report counts on a machine that others use, too."""

from collections.abc import Callable

from ei.lab.promises import Promise, Report

OF_THE_MACHINE = {"ms", "s", "x", "%", "1/s", "MB/s", "Mbit/s", "hits"}
"""Units of figures that whoever else uses the machine moves, a little and now and then."""


def broken(run: Callable[[], Report]) -> list[Promise]:
    """Return the promises that are not kept.

    What is missed in one of `OF_THE_MACHINE` is measured once more, by a second run: missed twice
    it is broken. Everything else is broken the first time. What a backend or a machine without some
    program cannot measure is `unsupported`, and not broken.
    """
    missed = _missed(run())
    if not missed or any(each.unit not in OF_THE_MACHINE for each in missed):
        return missed
    names = {_kind(each) for each in missed}
    again = _missed(run())
    return [each for each in again if each.unit not in OF_THE_MACHINE or _kind(each) in names]


def _missed(report: Report) -> list[Promise]:
    assert report.promises, "a scenario promises something"
    return [each for each in report.promises if each.status not in {"ok", "unsupported"}]


def _kind(promise: Promise) -> str:
    # Some names end with figures of their run.
    return promise.name.partition(":")[0]
