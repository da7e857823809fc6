"""Who asked for each service that had a say in a packet. Pure."""

from collections.abc import Callable, Collection, Mapping

from ei.attachment.statements import MAX_PARTS, Asker, Part
from ei.bundles import Rows

Title = Callable[[int], str]
WantedBy = Callable[[bytes], Collection[int]]


def parts_of(
    service: int,
    numbers: tuple[int, ...],
    *,
    guards: Collection[int],
    bundles: Mapping[int, Rows],
    title: Title,
) -> tuple[Part, ...]:
    """Return the services that had a say, each with who asked for it.

    A bundle stands before the first of its services: the source named it, and it asked for them.

    Args:
        service: That the packet names, or the bundle.
        guards: That the receiver has asked for.
        title: Returns name and version of a service.
    """
    rows = bundles.get(service)
    askers = who_asked(service, numbers, guards=guards, rows=rows)
    parts = [Part(title(number), asker) for number, asker in zip(numbers, askers, strict=True)]
    if rows is not None and "bundle" in askers:
        parts.insert(askers.index("bundle"), Part(rows.bundle.title, "source"))
    return tuple(parts[:MAX_PARTS])


def who_asked(
    service: int,
    numbers: tuple[int, ...],
    *,
    guards: Collection[int] = (),
    rows: Rows | None = None,
) -> tuple[Asker, ...]:
    """Return who asked for each service that had a say in a packet, by its place in the chain.

    The chain ends with the service that the source named, or with the one that sends of the bundle
    that it named; before it come those of the node's operator and of the bundle, after it those of
    the bundle, then those of the operator and the guards of the receiver. A packet that did not
    come as far as the named one came to no guard either.

    Args:
        guards: That the receiver has asked for.
        rows: Of the bundle that the packet names, if it names one.
    """
    named: Asker = "source" if rows is None else "bundle"
    visited, behind = (
        (frozenset({service}), frozenset[int]()) if rows is None else (rows.visited, rows.behind)
    )
    sender = service if rows is None else rows.sender
    at = numbers.index(sender) if sender in numbers else len(numbers)

    def asker(place: int, number: int) -> Asker:
        if number in (visited if place <= at else behind):
            return named
        return "receiver" if place > at and number in guards else "operator"

    return tuple(asker(place, number) for place, number in enumerate(numbers))
