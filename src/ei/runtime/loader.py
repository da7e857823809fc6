"""Finds services by folder, and turns a folder into a class that can run."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, Literal, Protocol, TypedDict, TypeGuard, get_args
from zlib import crc32

import msgspec

import ei
from ei.errors import ConfigError, LoadError, NotFoundError
from ei.runtime.faults import place_of
from ei.runtime.imports import check_imports
from ei.runtime.limits import CpuExceeded
from ei.runtime.modules import Sources, preload, read_sources, run
from ei.runtime.tables import convert_table
from ei.runtime.wasm import WasmService, check_code, config_type_of, read_code
from ei.sdk import Manifest, Service, load_manifest

OWN_FOLDER = Path(str(ei.__file__)).parent / "services"
"""Where the services of this distribution are."""

CLUSTER_REASONS = {
    "not_owner": "Another member of the cluster has the service's state, or will in a moment.",
    "too_few_copies": "Fewer members can have it on disk than must, before it is acknowledged.",
}
"""Why packets of a service whose state has copies are refused here: word, and what happened."""

ENVIRONMENT_COUNTERS = ("bad_control", "cpu_exceeded", "service_error", "store_failed")
"""Counted, beside the manifest's counters, for events that are no packets and came to nothing."""


class DatapathOptions(TypedDict):
    """What the datapath must know of a service: arguments of its `add_service`."""

    match_metadata: int | None
    reads_payload: bool
    queue_packets: int
    max_hops: int
    max_objects: int
    drop_reasons: list[str]
    counters: list[str]
    fail: Literal["closed", "open", "bypass"]
    streams: bool
    anonymous: bool


@dataclass(frozen=True, slots=True)
class LoadedService:
    """A service that can run.

    Attributes:
        manifest: Its manifest.
        folder: Where it came from.
        service: Makes an instance of it.
        config_type: Type of its configuration, `None` when it has none.
        messages: Types of its control messages.
        sources: The files that it was loaded from; empty where they would have to be read again.
    """

    manifest: Manifest
    folder: Path
    service: Callable[[], Service[Any]]
    config_type: type[msgspec.Struct] | None
    messages: tuple[type, ...]
    sources: Sources = field(default_factory=dict[str, str], repr=False)

    def parse_config(self, overrides: Mapping[str, object]) -> msgspec.Struct | None:
        """Return the manifest's configuration with `overrides`, typed.

        Raises:
            ConfigError: A value is wrong or unknown.
        """
        values = {**self.manifest.config, **overrides}
        try:
            config = convert_table(values, self.config_type or _Nothing, where="config")
        except ConfigError as error:
            raise ConfigError(f"{self.folder / 'manifest.toml'}: {error}") from error
        return None if self.config_type is None else config


class FoundService(Protocol):
    """A service of which the manifest was read, whether it was loaded or not."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def folder(self) -> Path: ...


class _Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of services that have no configuration."""


def datapath_options(manifest: Manifest) -> DatapathOptions:
    """Return the arguments of the datapath's `add_service` for a service."""
    words = tuple(CLUSTER_REASONS) if manifest.state == "replicated" else ()
    return DatapathOptions(
        match_metadata=manifest.match_metadata,
        reads_payload="payload" in manifest.capabilities,
        queue_packets=manifest.queue_packets,
        max_hops=manifest.max_hops,
        max_objects=manifest.max_objects,
        drop_reasons=[*manifest.drop_reasons, *words],
        counters=[*manifest.counters, *ENVIRONMENT_COUNTERS, *words],
        fail=manifest.fail,
        streams="streams" in manifest.capabilities,
        anonymous=manifest.anonymous,
    )


def find_services(folders: Iterable[Path] = ()) -> dict[str, Path]:
    """Return the folder of each service by name: our own, then each of `folders`.

    Args:
        folders: Folders of services, or folders of folders of services. A later one of the same
            name takes the place of an earlier one.
    """
    found: dict[str, Path] = {}
    for folder in (OWN_FOLDER, *folders):
        for manifest in [folder / "manifest.toml", *sorted(folder.glob("*/manifest.toml"))]:
            if manifest.is_file():
                found[manifest.parent.name] = manifest.parent
    return found


def load_service(place: str | Path, folders: Iterable[Path] = ()) -> LoadedService:
    """Load a service by name, or from its folder.

    Args:
        place: Name or folder.
        folders: More places to look for the name, as for `find_services`.

    Raises:
        NotFoundError: There is no service of that name.
        ConfigError: Its manifest is wrong.
        LoadError: Its files import what they may not, do not run, or lack what they must have.
    """
    folder = folder_of(place, folders) if isinstance(place, str) else place
    return read_service(folder).load()


def folder_of(name: str, folders: Iterable[Path] = ()) -> Path:
    """Return the folder of a service by name.

    Args:
        folders: More places to look for the name, as for `find_services`.

    Raises:
        NotFoundError: There is no service of that name.
    """
    services = find_services(folders)
    if name not in services:
        raise NotFoundError(f"no service {name!r}; there are: {', '.join(sorted(services))}")
    return services[name]


@dataclass(frozen=True, slots=True)
class ReadService:
    """A service that was read; once what it imports is there, it can be loaded without any file.

    Attributes:
        manifest: Its manifest.
        folder: Where it came from.
        sources: A stranger's files. Those of our own services are empty: they are loaded already.
        code: Of a module in WebAssembly, which is that one file.
    """

    manifest: Manifest
    folder: Path
    sources: Sources
    code: bytes | None = None

    def preload(self) -> None:
        """Import all that its files will import of others, which runs code of those."""
        if self.code is not None:
            _ = importlib.import_module("ei._core")  # which is what runs it
        preload(self.sources, self.folder.name, self.manifest.libraries)

    def load(self, *, is_limited: bool = True) -> LoadedService:
        """Run its files.

        Args:
            is_limited: Whether a stranger's names are limited; see `ei.runtime.modules`.

        Raises:
            LoadError: They do not run, or lack what they must have.
        """
        if self.code is not None:
            return _loaded_code(self.manifest, self.folder, self.code)
        package = package_of(self.folder)
        module = sys.modules.get(f"{package}.service")
        if module is None:
            module = _run(self, package, is_limited=is_limited)
        return _loaded(self.manifest, self.folder, module)


def read_service(folder: Path) -> ReadService:
    """Read and check a service; load it as well if it is one of our own.

    Of a stranger's nothing runs, neither its files nor its libraries.

    Raises:
        ConfigError: Its manifest is wrong.
        LoadError: Its files import what they may not, or cannot be read, or do not run.
    """
    manifest = load_manifest(folder)
    if manifest.engine == "wasm":
        return ReadService(manifest, folder, {}, read_code(folder))
    check_imports(folder, manifest.libraries)
    if is_ours(folder):
        _ = _import(folder, package_of(folder))
        return ReadService(manifest, folder, {})
    return ReadService(manifest, folder, read_sources(folder))


def is_ours(folder: Path) -> bool:
    """Whether a service is one of those that come with this program."""
    return folder.resolve() == (OWN_FOLDER / folder.name).resolve()


def _loaded(manifest: Manifest, folder: Path, module: ModuleType) -> LoadedService:
    return LoadedService(
        manifest=manifest,
        folder=folder,
        service=_service_of(module, folder),
        config_type=_config_of(module, folder),
        messages=_messages_of(module, folder),
    )


def _loaded_code(manifest: Manifest, folder: Path, code: bytes) -> LoadedService:
    return LoadedService(
        manifest=manifest,
        folder=folder,
        service=partial(WasmService, check_code(code, manifest, folder)),
        config_type=config_type_of(manifest),
        messages=(object,),  # whatever msgpack can say: the module looks at it itself
    )


def package_of(folder: Path) -> str:
    """Return the package that a folder is: one of our own, or one named after its place."""
    if is_ours(folder):
        return f"ei.services.{folder.name}"
    return f"ei_service_{folder.name}_{crc32(str(folder.resolve()).encode()):08x}"


def _import(folder: Path, package: str) -> ModuleType:
    try:
        return importlib.import_module(f"{package}.service")
    except Exception as error:
        raise _unloadable(folder, error) from error


def _run(read: ReadService, package: str, *, is_limited: bool) -> ModuleType:
    libraries = read.manifest.libraries
    try:
        return run(read.sources, read.folder, package, libraries, is_limited=is_limited)
    except CpuExceeded as error:
        place = place_of(error, read.folder) or "service.py"
        raise LoadError(
            f"{read.folder / place}: takes more CPU time to load than its tier allows"
        ) from error
    except Exception as error:
        raise _unloadable(read.folder, error) from error


def _unloadable(folder: Path, error: Exception) -> LoadError:
    """Return what is said of a module that raises while it is imported."""
    place = place_of(error, folder) or "service.py"
    return LoadError(f"{folder / place}: cannot be loaded: {error!r}")


def load_afresh(loaded: LoadedService) -> LoadedService:
    """Run the files of a service again, beside what is loaded.

    Nothing that the service left in its modules is there in what is returned.

    Raises:
        LoadError: Its files do not run any more.
    """
    if loaded.manifest.engine == "wasm":
        return loaded  # each event has an instance of its own
    package = "ei_service_afresh"
    try:
        sources = loaded.sources or read_sources(loaded.folder)
        read = ReadService(loaded.manifest, loaded.folder, sources)
        module = _run(read, package, is_limited=True)
        return replace(_loaded(loaded.manifest, loaded.folder, module), sources=loaded.sources)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


def _service_of(module: ModuleType, folder: Path) -> type[Service[Any]]:
    service: object = getattr(module, "SERVICE", None)
    if not _is_service(service):
        raise LoadError(f"{folder / 'service.py'}: SERVICE = a subclass of Service is missing")
    if inspect.isabstract(service):
        raise LoadError(f"{folder / 'service.py'}: class {service.__name__}: on_packet is missing")
    if hasattr(service(), "__dict__"):
        raise LoadError(
            f"{folder / 'service.py'}: class {service.__name__}: instances have attributes;"
            " write __slots__ = () and keep state in ctx.ephemeral or ctx.stable"
        )
    return service


def _is_service(value: object) -> TypeGuard[type[Service[Any]]]:
    return isinstance(value, type) and issubclass(value, Service)


def _config_of(module: ModuleType, folder: Path) -> type[msgspec.Struct] | None:
    config = getattr(module, "Config", None)
    if config is None:
        return None
    if not isinstance(config, type) or not issubclass(config, msgspec.Struct):
        raise LoadError(f"{folder / 'service.py'}: Config: not a msgspec.Struct")
    if not config.__struct_config__.forbid_unknown_fields:
        raise LoadError(f"{folder / 'service.py'}: Config: forbid_unknown_fields=True missing")
    return config


def _messages_of(module: ModuleType, folder: Path) -> tuple[type[msgspec.Struct], ...]:
    declared = getattr(module, "MESSAGES", None)
    if declared is None:
        return ()
    types = get_args(declared) if isinstance(declared, UnionType) else (declared,)
    for kind in types:
        if not isinstance(kind, type) or not issubclass(kind, msgspec.Struct):
            raise LoadError(f"{folder / 'service.py'}: MESSAGES: {kind!r}: not a msgspec.Struct")
        config = kind.__struct_config__
        if config.tag is None or not config.frozen or not config.forbid_unknown_fields:
            raise LoadError(
                f"{folder / 'service.py'}: MESSAGES: {kind.__name__}: strangers write it, so it is"
                " declared with frozen=True, tag=..., forbid_unknown_fields=True"
            )
    return types
