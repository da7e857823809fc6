"""The shell: has modules tried, each in a process of its own, one for each core at once.

Neither here nor below runs any of a stranger's code: a judge does that, and then a worker, each
behind its jail.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ei import errors
from ei.conform.apart import check_worker
from ei.conform.certificate import Certificate
from ei.conform.certifying import certificate_of
from ei.conform.judge import MAX_ANSWER_BYTES, TRUSTED, Judged, Refusal
from ei.conform.trying import Tried
from ei.errors import EiError, ServiceError
from ei.runtime.children import how_it_ended
from ei.runtime.jail import OPEN, Jail
from ei.runtime.loader import is_ours
from ei.runtime.voices import Jailed, harmless, hear
from ei.sdk import Manifest, load_manifest

WITHIN_S = 600.0
MOST_SAID = 2_000
"""Bytes of a judge's standard error that are looked at."""

KEPT_NAMES = frozenset({"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR", "VIRTUAL_ENV"})
"""Of the environment, beside Python's own: what else is there a module could put into its
certificate, which is published."""

_MODULE = "ei.conform.judge"

Outcome = Certificate | EiError
_ANSWERS: msgspec.msgpack.Decoder[Judged | Refusal] = msgspec.msgpack.Decoder(Judged | Refusal)


def certify_apart(
    folders: Sequence[Path],
    *,
    seed: int,
    events: int,
    environ: Mapping[str, str],
    is_trusted: bool = False,
) -> Iterator[tuple[Path, Outcome]]:
    """Certify modules; yield each with its certificate, or why there is none, in their order.

    Args:
        folders: Of the modules.
        seed: Of what is drawn, unsigned 64 bits.
        events: How many are drawn.
        environ: Of the processes, which get of it what Python needs.
        is_trusted: Whether a stranger's module is run where a layer of its jail is missing.
    """
    kept = {name: each for name, each in environ.items() if _is_kept(name)}
    waiting = list(folders)
    with ExitStack() as made:
        running: list[_Judge] = []
        for folder in folders:
            while waiting and len(running) < (os.cpu_count() or 1):
                words = [str(waiting.pop(0)), str(seed), str(events)]
                running.append(_Judge([*words, *[TRUSTED] * is_trusted], kept, made))
            judge = running.pop(0)
            try:
                yield folder, _certify(folder, judge, kept, is_trusted=is_trusted)
            except EiError as error:
                yield folder, error


def _is_kept(name: str) -> bool:
    return name in KEPT_NAMES or name.startswith(("PYTHON", "LC_"))


def _kind_of(name: str) -> type[EiError]:
    kind: object = getattr(errors, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, EiError) else ServiceError


@dataclass(frozen=True, slots=True)
class _Module:
    """A module of which the manifest was read."""

    manifest: Manifest
    folder: Path


def _certify(
    folder: Path, judge: "_Judge", environ: Mapping[str, str], *, is_trusted: bool
) -> Certificate:
    """Wait for what a judge finds, have a worker do the same, and write the certificate."""
    tried = judge.take(folder)
    module = _Module(load_manifest(folder), folder)
    apart = [
        check_worker(
            module,
            told.story,
            told.record(),
            environ,
            is_trusted=is_trusted or is_ours(folder),
        )
        for told in tried.told
    ]
    jails = [judge.jail, *(jail for _, jail in apart)]
    verdicts = [verdict for verdict, _ in apart]
    return certificate_of(module.manifest, folder, tried, verdicts, jails)


class _Judge:
    """A judge's process; it is gone with `made`.

    Attributes:
        jail: How its jail stands; what was said first of that, so it is known once it ended.
    """

    def __init__(self, words: list[str], environ: Mapping[str, str], made: ExitStack) -> None:
        self.jail: Jail = OPEN
        self._answer = made.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 see `made`
        self._errors = made.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 see `made`
        self._words, writer = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
        os.set_blocking(self._words, False)
        _ = made.callback(os.close, self._words)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(os.getpid()), str(writer), *words],
                stdin=subprocess.DEVNULL,
                stdout=self._answer,
                stderr=self._errors,
                pass_fds=[writer],
                env=environ,
            )
        finally:
            os.close(writer)
        _ = made.callback(self._kill)

    def take(self, folder: Path) -> Tried:
        """Wait for the end; return what it found.

        Raises:
            EiError: It found nothing: why.
        """
        try:
            _ = self._process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self._kill()
        match hear(self._words):
            case Jailed(jail=jail):
                self.jail = jail
            case _:
                pass
        _ = self._answer.seek(0)
        try:
            answer = _ANSWERS.decode(self._answer.read(MAX_ANSWER_BYTES))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ServiceError(
                f"{folder}: there is no certificate: its process ended: {self._how_it_ended()}",
                remedy="Run its own tests: ei module test. Some event may never come to an end.",
            ) from error
        if isinstance(answer, Judged):
            return answer.tried
        raise _kind_of(answer.kind)(harmless(answer.said), remedy=harmless(answer.remedy))

    def _how_it_ended(self) -> str:
        size = self._errors.seek(0, os.SEEK_END)
        _ = self._errors.seek(max(0, size - MOST_SAID))
        last = self._errors.read(MOST_SAID).decode(errors="replace").strip().splitlines()
        said = how_it_ended(self._process.returncode)
        return said + (f": {harmless(last[-1])}" if last else "")

    def _kill(self) -> None:
        self._process.kill()
        _ = self._process.wait()
