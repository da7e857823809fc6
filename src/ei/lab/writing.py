"""What a run leaves for people: files of one folder, each told once it is there."""

from collections.abc import Callable, Mapping
from pathlib import Path

from ei.daemons.startup import explained


def write_files(folder: Path, contents: Mapping[str, str], told: Callable[[Path], object]) -> None:
    """Write files into a folder, which is made if it is not there.

    Args:
        folder: Where.
        contents: By name.
        told: Gets the path of each.

    Raises:
        LimitError: the disk is full.
        DeniedError: the folder may not be written.
        ConfigError: it cannot be.
    """
    with explained(f"cannot make {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        path = folder / name
        with explained(f"cannot write {path}"):
            _ = path.write_text(content)
        _ = told(path)
