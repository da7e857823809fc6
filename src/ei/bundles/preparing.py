"""Bundles that a node is to run: found, checked, and turned into rows for its datapath."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ei.bundles.checking import check_bundle, refuse_faults
from ei.bundles.finding import bundle_folder_of, known_in
from ei.bundles.rows import Rows, rows_of
from ei.sdk.manifest import Manifest


def prepare_bundles(
    names: Sequence[str],
    folders: Sequence[Path],
    manifests: Iterable[Manifest],
    *,
    chains: Mapping[str, tuple[str, ...]],
) -> tuple[Rows, ...]:
    """Return the rows of some bundles.

    Args:
        folders: Where they are, and the services that they may name.
        manifests: Of the services that run at the node.
        chains: What its operator interposes, by service.

    Raises:
        NotFoundError: there is no bundle of a name.
        ConfigError: one has a fault, or needs what does not run there.
    """
    if not names:
        return ()
    running = {manifest.name: manifest for manifest in manifests}
    known = known_in(folders)
    # What runs counts, which need not be what is in the folders.
    known = replace(known, services={**known.services, **running})
    rows: list[Rows] = []
    for name in names:
        folder = bundle_folder_of(name, folders)
        checked = check_bundle(folder, known)
        chain = refuse_faults(checked, folder)
        rows.append(rows_of(checked.bundle, chain, running, chains=chains))
    return tuple(rows)
