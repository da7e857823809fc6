"""The modules that a node was given while it ran, or its bundles: by digest, and which run.

    modules/<64 hex>/NAME/...      the files of one package
    modules/running.json           service -> the digest that runs, and the one before
    modules/halted.json            service -> the digest that is not to run, and why

Of each service two are kept: the one that runs and the one before it, which it goes back to.
"""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from ei.errors import ConfigError, NotFoundError
from ei.registry.disk import write_whole
from ei.registry.package import digest_of, pack, unpack, write_files

FOLDER = "modules"
RUNNING_FILE = "running.json"
HALTED_FILE = "halted.json"
OF_FILE = ""
"""The digest of what `node.toml` names, wherever that is."""

Digest = Annotated[str, Meta(pattern="^(sha256:[0-9a-f]{64})?$")]


T = TypeVar("T")


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version of a service runs, and which did before it; `OF_FILE` is that of node.toml."""

    digest: Digest
    before: Digest = OF_FILE


class Halt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version of a service that is not to run, and why."""

    digest: Digest
    why: str


def digest_of_folder(folder: Path) -> str:
    """Return the digest of a module's folder as it is now; empty where it makes no package."""
    try:
        return digest_of(pack(folder))
    except (ConfigError, OSError):
        return ""


class Shelf:
    """The modules below a state directory, which is made when there is one to keep.

    Raises:
        ConfigError: One of its two lists cannot be read, or is none.
    """

    def __init__(self, state: Path, folder: str = FOLDER) -> None:
        self._folder = state / folder
        self._choices = _read(self._folder / RUNNING_FILE, dict[str, Choice])
        self._halts = _read(self._folder / HALTED_FILE, dict[str, Halt])

    def __repr__(self) -> str:
        return f"<Shelf of {sorted(self._choices)} at {self._folder}>"

    @property
    def choices(self) -> Mapping[str, Choice]:
        """Of the services that run, or ran, what did not come from node.toml."""
        return self._choices

    def keep(self, name: str, package: bytes) -> Path:
        """Put a package on the disk; return the folder of its module.

        Raises:
            IntegrityError: it is no package.
            OSError: the system refused.
        """
        folder = self._place(name, digest_of(package))
        if digest_of_folder(folder) != digest_of(package):
            shutil.rmtree(folder, ignore_errors=True)  # changed since, or damaged
            folder.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # what a node that was killed had begun
                shutil.rmtree(folder.with_name(f".{folder.name}.new"))
            write_files(unpack(package), folder)
        return folder

    def choose(self, name: str, digest: str) -> None:
        """Note that this is what runs from now on, also after a restart; forget what is older.

        Raises:
            OSError: the system refused.
        """
        if self._halts.pop(name, None) is not None:
            write_whole(self._folder / HALTED_FILE, msgspec.json.encode(self._halts))
        running = self._choices.get(name, Choice(OF_FILE))
        if running.digest == digest:
            return
        self._choices[name] = Choice(digest, running.digest)
        write_whole(self._folder / RUNNING_FILE, msgspec.json.encode(self._choices))
        self._forget()

    def halt(self, name: str, digest: str, why: str) -> None:
        """Note that this is not to run, also after a restart, until something is chosen.

        Raises:
            OSError: the system refused.
        """
        self._halts[name] = Halt(digest, why)
        write_whole(self._folder / HALTED_FILE, msgspec.json.encode(self._halts))

    def why_halted(self, name: str, digest: str) -> str:
        """Return why this is not to run; empty when it may."""
        halt = self._halts.get(name)
        return halt.why if halt is not None and digest and halt.digest == digest else ""

    def folder_of(self, name: str, digest: str) -> Path:
        """Return the folder of a module that is kept.

        Raises:
            NotFoundError: it is not, or is not what its name says any more.
        """
        folder = self._place(name, digest)
        if digest_of_folder(folder) != digest:
            raise NotFoundError(
                f"{folder} is not {name} {digest}",
                remedy=f"Give it again: ei node upgrade {name} FOLDER; or remove {self._folder}, to"
                " run what node.toml names.",
            )
        return folder

    def chosen(self, name: str) -> Path | None:
        """Return the folder of the version that runs; `None` for that of node.toml.

        Raises:
            NotFoundError: as `folder_of`.
        """
        choice = self._choices.get(name)
        if choice is None or choice.digest == OF_FILE:
            return None
        return self.folder_of(name, choice.digest)

    def _place(self, name: str, digest: str) -> Path:
        return self._folder / digest.removeprefix("sha256:") / name

    def _forget(self) -> None:
        kept = {
            digest.removeprefix("sha256:")
            for choice in self._choices.values()
            for digest in (choice.digest, choice.before)
        }
        for folder in self._folder.iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path, kind: type[dict[str, T]]) -> dict[str, T]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(
            f"{path}: does not say which modules run: {error}",
            remedy="Remove it, to run what node.toml names.",
        ) from error
