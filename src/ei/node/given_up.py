"""The releases that a node has given up, kept: what failed here is not tried here again."""

from pathlib import Path

import msgspec

from ei.daemons.startup import explained

MAX_GIVEN_UP = 1_024


class GivenUp:
    """Digest to why, the newest 1,024. A file that cannot be read counts for nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._why = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            self._why = {}

    def __contains__(self, digest: object) -> bool:
        return digest in self._why

    def __repr__(self) -> str:
        return f"<GivenUp {len(self._why)} releases>"

    def why(self, digest: str) -> str:
        """Return why a release was given up; empty when it was not."""
        return self._why.get(digest, "")

    def add(self, digest: str, why: str) -> None:
        """Give a release up.

        Raises:
            EiError: the system does not let us write that down; it counts all the same.
        """
        self._why[digest] = why
        while len(self._why) > MAX_GIVEN_UP:
            del self._why[next(iter(self._why))]
        with explained("cannot keep which releases failed"):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_name(f"{self._path.name}.new")
            _ = new.write_bytes(msgspec.json.encode(self._why))
            _ = new.replace(self._path)
