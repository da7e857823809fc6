"""Where bundles are, and what they may be made of."""

from collections.abc import Sequence
from pathlib import Path

from ei.bundles.bundle import FILE, load_bundle
from ei.bundles.expanding import Known
from ei.errors import NotFoundError
from ei.runtime.loader import find_services
from ei.sdk.manifest import load_manifest


def find_bundles(folders: Sequence[Path]) -> dict[str, Path]:
    """Return the folders of bundles by name: each of `folders` is one, or holds some."""
    found: dict[str, Path] = {}
    for folder in folders:
        for file in [folder / FILE, *sorted(folder.glob(f"*/{FILE}"))]:
            if file.is_file():
                found[file.resolve().parent.name] = file.parent
    return found


def bundle_folder_of(name: str, folders: Sequence[Path]) -> Path:
    """Return the folder of a bundle.

    Raises:
        NotFoundError: there is no bundle of that name.
    """
    found = find_bundles(folders)
    if name not in found:
        raise NotFoundError(
            f"no bundle {name!r}; there are: {', '.join(sorted(found)) or 'none'}",
            remedy="Bundles are folders with a bundle.toml, in the folders of service_folders.",
        )
    return found[name]


def known_in(folders: Sequence[Path]) -> Known:
    """Return all services and bundles of some folders, and the services of this program.

    Raises:
        ConfigError: a manifest or a bundle is wrong.
    """
    return Known(
        services={name: load_manifest(folder) for name, folder in find_services(folders).items()},
        bundles={name: load_bundle(folder) for name, folder in find_bundles(folders).items()},
    )
