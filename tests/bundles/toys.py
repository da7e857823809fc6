"""Toy services that were never written: the checker reads manifests alone."""

from collections.abc import Sequence
from pathlib import Path

from ei.bundles import Bundle, Checked, Fault, Known, check_bundle, load_bundle
from ei.sdk.composition import EVERY_KIND, Kind, Port
from ei.sdk.manifest import Manifest
from ei.sdk.tiers import TIERS

DELIVERY = Manifest(id=16, name="delivery", version="0.1.0", summary="x", handler_ms=10)


def toy(  # noqa: PLR0913 as many as a manifest says of it
    name: str,
    takes: Sequence[Kind] = EVERY_KIND,
    gives: Kind | None = None,
    *,
    adds_bytes: int = 0,
    handler_ms: int = 10,
    hands_on: bool = True,
    before_pipe: Port | None = None,
    drop_reasons: tuple[str, ...] = (),
    match_metadata: int | None = 0,
) -> Manifest:
    """Return the manifest of a service that hands on and reads no metadata."""
    assert handler_ms <= TIERS["heavy"].handler_ms
    return Manifest(
        id=0xF000_0000 + sum(name.encode()),
        name=name,
        version="1.2.0",
        summary="x",
        takes=tuple(takes),
        gives=gives,
        adds_bytes=adds_bytes,
        handler_ms=handler_ms,
        hands_on=hands_on,
        before_pipe=before_pipe,
        drop_reasons=drop_reasons,
        match_metadata=match_metadata,
    )


TOYS = {
    each.name: each
    for each in (
        DELIVERY,
        toy("telemetry"),
        toy("query", ["plain"]),
        toy("compress", ["plain"], "compressed"),
        toy(
            "decompress", ["compressed"], "plain",
            before_pipe=Port(takes=("compressed",), gives="plain"),
        ),
        toy("encrypt", ["plain", "compressed"], "sealed", adds_bytes=28),
        toy("decrypt", ["sealed"], "plain", before_pipe=Port(takes=("sealed",), gives="plain")),
        toy("hide", ["plain", "compressed", "sealed"], "private", drop_reasons=("same_operator",)),
        toy("cache", ["plain"]),
        toy(
            "squeeze", ["plain", "compressed"], "plain",
            before_pipe=Port(takes=("plain",), gives="compressed"),
        ),
    )
}  # fmt: skip


def write_bundle(folder: Path, *services: str, name: str = "mine", extra: str = "") -> Path:
    """Write a bundle; each service is a name, or a name and a place such as `query at first`."""
    place = folder / name
    place.mkdir(exist_ok=True)
    rows = "".join(f"[[services]]\n{row_of(service)}" for service in services)
    head = f'id = 112\nname = "{name}"\nversion = "1.0.0"\nsummary = "x"\n{extra}\n'
    _ = (place / "bundle.toml").write_text(head + rows)
    return place


def row_of(service: str) -> str:
    """Return the lines of one service."""
    name, _, at = service.partition(" at ")
    return f'name = "{name}"\n' + (f'at = "{at}"\n' if at else "")


def check(
    folder: Path, *services: str, extra: str = "", bundles: dict[str, Bundle] | None = None
) -> Checked:
    """Check a bundle of toys."""
    known = Known(TOYS, bundles or {})
    return check_bundle(write_bundle(folder, *services, extra=extra), known)


def fault(folder: Path, *services: str, extra: str = "") -> Fault:
    """Return the only fault of a bundle of toys."""
    (found,) = check(folder, *services, extra=extra).faults
    return found


def inner(folder: Path, name: str, *services: str) -> Bundle:
    """Return a bundle that others contain."""
    return load_bundle(write_bundle(folder, *services, name=name))
