"""What is kept of a simulated run, so that it can be replayed: how it was made, and its event log.

```
$XDG_STATE_HOME/ei/runs/<scenario>-<seed>/     (default ~/.local/state)
    run.json                                    what makes the run again, and how it ended
    events.z                                    its event log, compressed by zlib
```
The newest 20 are kept; one of the same scenario and seed takes the place of the former.
"""

import hashlib
import re
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import msgspec

import ei
from ei.errors import EiError, IntegrityError, LocalError, NotFoundError
from ei.lab.catalogue import SCENARIOS
from ei.lab.clock import START_NS, VirtualClock
from ei.lab.eventlog import split_entries
from ei.lab.promises import Report
from ei.lab.scenario import OnPromise, Scenario, run_in_simulation
from ei.lab.simulation import Simulation
from ei.lab.topology import suggestion

SCHEMA = "ei.run/1"
KEPT = 20
MAX_ENTRIES = 2_000_000
"""Of a log: some 60 MB, 10 MB compressed."""
NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
LEVEL = 1
PIECE_BYTES = 65_536


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """Content of `run.json`.

    Attributes:
        scenario: Its name, or its folder.
        scenario_digest: SHA-256 over its files, in hex.
        code_digest: SHA-256 over the files of this program.
        version: Of this program.
        digest: Of the whole run; `None` when it did not get to its end.
        entries: Of its event log that are kept.
        is_whole: Whether these are all.
        ended_s: Virtual time from its start to the last of them.
        broken: Names of promises that were not kept.
        error: What ended the run, where it did not get to its end.
    """

    schema: str = SCHEMA
    scenario: str
    seed: int
    scenario_digest: str
    code_digest: str
    version: str
    digest: str | None
    entries: int
    is_whole: bool
    ended_s: float
    broken: tuple[str, ...] = ()
    error: str = ""
    recorded_unix_s: float = 0.0


class Recorder:
    """Keeps the event log of one run, compressed as it comes."""

    def __init__(self, *, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._compressor = zlib.compressobj(LEVEL)
        self._compressed = bytearray()
        self._pending = bytearray()
        self._last = b""
        self.entries = 0
        self.is_whole = True

    def start(self, lab: Simulation, _clock: VirtualClock) -> None:
        """Keep all that happens in `lab` from now on."""
        if lab.log is not None:
            lab.log.watch = self.add

    def add(self, entry: bytes) -> None:
        """Keep one entry, unless there are as many as may be kept."""
        if self.entries >= self._max_entries:
            self.is_whole = False
            return
        self.entries += 1
        self._last = entry
        self._pending += entry
        if len(self._pending) > PIECE_BYTES:
            self._compress()

    @property
    def ended_s(self) -> float:
        """Virtual time of the last entry, from the start."""
        return 0.0 if not self._last else (_now_ns(self._last) - START_NS) / 1e9

    def compressed(self) -> bytes:
        """End; return the content of `events.z`."""
        self._compress()
        self._compressed += self._compressor.flush()
        return bytes(self._compressed)

    def _compress(self) -> None:
        self._compressed += self._compressor.compress(self._pending)
        self._pending.clear()


class RunStore:
    """The recordings of one user.

    Args:
        environ: Where files go: `XDG_STATE_HOME`, else `HOME`.
        kept: How many; the oldest make room.
    """

    def __init__(self, environ: Mapping[str, str], *, kept: int = KEPT) -> None:
        state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        self._path = Path(state) / "ei" / "runs"
        self._kept = kept

    def save(self, recording: Recording, events: bytes, *, name: str) -> None:
        """Keep a run in the place of a former one of that name.

        Raises:
            OSError: the system refuses.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        folder, new = self._path / name, self._path / f".{name}"
        for stale in (new, folder):
            shutil.rmtree(stale, ignore_errors=True)
        new.mkdir()
        _ = (new / "events.z").write_bytes(events)
        _ = (new / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(recording)))
        _ = new.rename(folder)
        for old in self.names()[self._kept :]:
            shutil.rmtree(self._path / old, ignore_errors=True)

    def names(self) -> list[str]:
        """Return all names, the newest first."""
        found = list(self._path.glob("[!.]*/run.json"))
        found.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [path.parent.name for path in found]

    def load(self, name: str) -> Recording:
        """Return what is known of a run.

        Raises:
            NotFoundError: there is none of that name.
            IntegrityError: it is damaged.
        """
        path = self._folder(name) / "run.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Recording)
        except OSError as error:
            raise NotFoundError(
                f"no run {name!r}{suggestion(name, self.names())}",
                remedy="See all: ei lab replay; make one: ei lab run SCENARIO --seed N",
            ) from error
        except msgspec.DecodeError as error:
            raise IntegrityError(f"{path} is damaged: {error}", remedy="Run it again.") from error

    def events(self, name: str) -> Iterator[bytes]:
        """Yield the entries of a run's event log.

        Raises:
            IntegrityError: it is damaged.
        """
        return split_entries(_inflated(self._folder(name) / "events.z"))

    def _folder(self, name: str) -> Path:
        if not NAME.fullmatch(name) or name.startswith("."):
            raise LocalError(f"no run is called {name!r}", remedy="See all: ei lab replay")
        return self._path / name


def run_recorded(  # noqa: PLR0913 a run, and where it is kept
    scenario: Scenario,
    store: RunStore,
    *,
    seed: int,
    unix_s: float,
    on_promise: OnPromise | None = None,
    capture: Path | None = None,
    on_unsaved: Callable[[OSError], object] = str,
) -> Report:
    """Run a scenario in virtual time and keep it in `store`, also when it does not get to its end.

    Args:
        unix_s: Wall clock, for the recording.
        on_unsaved: Gets what the system says when it could not be written.

    Raises:
        EiError: as `run_in_simulation`.
    """
    recorder = Recorder()

    def save(report: Report | None, error: str) -> None:
        broken = () if report is None else report.promises
        is_ours = scenario.folder.parent == SCENARIOS
        recording = Recording(
            scenario=scenario.name if is_ours else str(scenario.folder),
            seed=seed,
            scenario_digest=scenario_digest(scenario),
            code_digest=code_digest(),
            version=version("extensible-internet"),
            digest=None if report is None else report.digest,
            entries=recorder.entries,
            is_whole=recorder.is_whole,
            ended_s=recorder.ended_s,
            broken=tuple(each.name for each in broken if each.status != "ok"),
            error=error,
            recorded_unix_s=unix_s,
        )
        try:
            store.save(recording, recorder.compressed(), name=f"{scenario.name}-{seed}")
        except OSError as refused:
            _ = on_unsaved(refused)

    try:
        report = run_in_simulation(
            scenario, seed=seed, on_promise=on_promise, capture=capture, on_start=recorder.start
        )
    except EiError as error:
        save(None, str(error))
        raise
    save(report, "")
    return report


def scenario_digest(scenario: Scenario) -> str:
    """Return SHA-256 over the files of a scenario and of the services that it brings."""
    return _digest_of([scenario.folder, *scenario.topology.service_folders])


def code_digest() -> str:
    """Return SHA-256 over the files of this program."""
    return _digest_of([Path(ei.__file__).parent])


def _digest_of(folders: Iterable[Path]) -> str:
    hasher = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                content = path.read_bytes()
                hasher.update(f"{path.relative_to(folder)} {len(content)}\n".encode() + content)
    return hasher.hexdigest()


def _inflated(path: Path) -> Iterator[bytes]:
    decompressor = zlib.decompressobj()
    try:
        # At once: who stops in the middle leaves no file open.
        content = path.read_bytes()
        for at in range(0, len(content), PIECE_BYTES):
            yield decompressor.decompress(content[at : at + PIECE_BYTES])
    except (OSError, zlib.error) as error:
        raise IntegrityError(f"{path} is damaged: {error}", remedy="Run it again.") from error


def _now_ns(entry: bytes) -> int:
    return int.from_bytes(entry[1:9], "little")
