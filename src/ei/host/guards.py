"""The guards of a host, as its configuration names them, by number."""

from collections.abc import Iterable

from ei.errors import ConfigError
from ei.runtime.loader import find_services
from ei.sdk.manifest import load_manifest


def guard_numbers(guards: Iterable[str | int] | None) -> tuple[int, ...] | None:
    """Return the numbers of services; `None` where nothing is said of them.

    Raises:
        ConfigError: no service that comes with this program has a name.
    """
    if guards is None:
        return None
    known = find_services()
    numbers: list[int] = []
    for guard in guards:
        if isinstance(guard, str) and guard not in known:
            raise ConfigError(
                f"guards: no service is called {guard!r}; there are: {', '.join(sorted(known))}",
                remedy="Name a service of others by its number, such as guards = [4026531850].",
            )
        numbers.append(guard if isinstance(guard, int) else load_manifest(known[guard]).id)
    return tuple(numbers)
