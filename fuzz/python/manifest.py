"""Any text as the manifest of a service: it is taken, or refused in our words."""

import tempfile
from pathlib import Path

from harness import followed, fuzz

with followed("ei", "tomllib"):
    from ei.errors import ConfigError
    from ei.sdk.manifest import load_manifest


folder = Path(tempfile.mkdtemp(prefix="ei-fuzz-", dir="/dev/shm")) / "echo"
folder.mkdir()
path = folder / "manifest.toml"


def one(data: bytes) -> None:
    _ = path.write_bytes(data)
    try:
        manifest = load_manifest(folder)
    except ConfigError as error:
        assert str(path) in str(error)
        return
    assert manifest.name == "echo"
    assert 2 <= manifest.id < 2**32


fuzz(one)
