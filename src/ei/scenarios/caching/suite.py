"""The npm package `http-cache-tests`, which judges caches: its origin, its client, its verdict.

The client asks a cache for what the origin has, and the origin tells it what came by. Both run in
Node.js, as they were published.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ei.errors import LocalError
from ei.lab.borrowed import BORROWED, find_program
from ei.lab.foreign import running, unused_port
from ei.scenarios.caching.origin import HERE

SUITE = "http-cache-tests"
VERSION = "0.4.5"
FOLDER = BORROWED / "node_modules" / SUITE
INSTALL = f"npm install --prefix build/tools --no-save --ignore-scripts {SUITE}@{VERSION}"
FIELDS = ("test-id", "test-name", "req-num")
"""Of its requests, by which its origin answers no differently."""
LIMIT_S = 300.0
COMPLAINT_BYTES = 400

_REQUIRED = """
import tests from './tests/index.mjs'
import surrogate from './tests/surrogate-control.mjs'
const all = [...tests, surrogate].flatMap(suite => suite.tests)
const required = all.filter(test => !test.browser_only && (test.kind ?? 'required') === 'required')
console.log(JSON.stringify(required.map(test => test.id)))
"""


Results = dict[str, bool | list[str | None]]
"""What became of each case: it passed, or the kind of failure and what was seen."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the required cases.

    Attributes:
        passed: Their names.
        failed: Their names, in order.
        unclear: How many could not be set up with this cache, and say nothing.
    """

    passed: frozenset[str]
    failed: tuple[str, ...]
    unclear: int


def missing() -> str:
    """Return the command that installs what is missing; empty if nothing is."""
    if find_program("node") is None or (find_program("npm") is None and not FOLDER.is_dir()):
        return "apt-get install nodejs npm"
    return "" if FOLDER.is_dir() else INSTALL


@asynccontextmanager
async def origin_of(environ: Mapping[str, str]) -> AsyncGenerator[int]:
    """Run the origin while the context lasts; yield its port."""
    port = unused_port()
    said = {"npm_config_protocol": "http", "npm_config_port": str(port)}
    said["npm_config_pidfile"] = "/dev/null"
    server = str(FOLDER / "server" / "server.mjs")
    with TemporaryDirectory() as folder:
        environ = {**environ, **said}
        async with running("node", server, at=port, folder=Path(folder), environ=environ):
            yield port


async def required_cases(environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the cases that are required of every cache."""
    printed = await _printed(environ, "--input-type=module", "--eval", _REQUIRED)
    return frozenset(msgspec.json.decode(printed, type=list[str]))


async def judge(port: int, required: Collection[str], environ: Mapping[str, str]) -> Verdict:
    """Let the client ask a cache that listens on a port."""
    said = {"npm_config_base": f"http://{HERE}:{port}", "npm_package_config_id": ""}
    printed = await _printed({**environ, **said}, "--no-warnings", "cli.mjs")
    return verdict_of(printed, required)


def verdict_of(printed: bytes, required: Collection[str]) -> Verdict:
    """Return what the client reports of the required cases.

    Raises:
        LocalError: It is no report.
    """
    results = _read(printed, SUITE)
    failed: list[str] = []
    unclear = 0
    for name in sorted(required):
        match results.get(name, False):
            case True:
                pass
            case ["Setup", *_]:
                unclear += 1
            case _:
                failed.append(name)
    return Verdict(_passed(results) & frozenset(required), tuple(failed), unclear)


def published(folder: Path = FOLDER / "results") -> frozenset[str]:
    """Return the names of the cases that a cache or browser passes in the package's own results.

    Raises:
        LocalError: Of those one is no report.
        OSError: One cannot be read.
    """
    passed: set[str] = set()
    for file in folder.glob("*.json"):
        passed |= _passed(_read(file.read_bytes(), str(file)))
    return frozenset(passed)


def _passed(results: Results) -> frozenset[str]:
    return frozenset(name for name, result in results.items() if result is True)


def _read(printed: bytes, source: str) -> Results:
    try:
        return msgspec.json.decode(printed, type=Results)
    except msgspec.DecodeError as error:
        said = printed[-COMPLAINT_BYTES:].decode(errors="replace")
        raise LocalError(f"{source} says {said!r}, which is no report") from error


async def _printed(environ: Mapping[str, str], *words: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *("node", *words),
        cwd=FOLDER,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            printed, complaint = await process.communicate()
    except TimeoutError as error:
        process.kill()
        _ = await process.communicate()
        raise LocalError(f"{SUITE} did not end within {LIMIT_S:g} s") from error
    if process.returncode != 0:
        said = complaint[-COMPLAINT_BYTES:].decode(errors="replace")
        raise LocalError(f"{SUITE} ended with {process.returncode}: {said}")
    return printed
