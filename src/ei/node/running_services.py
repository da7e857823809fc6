"""The services that run on a node: by number and name, as its datapath is told of them."""

from collections.abc import Iterator, Mapping, Sequence

from ei.bundles import Bundle, Rows
from ei.errors import ConfigError, ConflictError
from ei.node.config import NodeConfig
from ei.node.datapath import DatapathControl, forget_bundle, tell_bundle
from ei.routing import Offer, read_version
from ei.runtime.loader import datapath_options
from ei.sdk.manifest import Manifest

REACH = "reach"
"""The service that packets visit whose service is not here."""


class RunningServices:
    """Iterates over the manifests, in the order of the configuration.

    Args:
        manifests: Of the services that run here: those that `config` names.
        datapath: Gets all commands.
        bundles: That are expanded here.

    Raises:
        ConfigError: a service has no manifest, or the number of another, or of a bundle.
    """

    def __init__(
        self,
        config: NodeConfig,
        manifests: Sequence[Manifest],
        datapath: DatapathControl,
        *,
        bundles: Sequence[Rows] = (),
    ) -> None:
        self._datapath = datapath
        self._bundles = {rows.bundle.id: rows for rows in bundles}
        self.expected: frozenset[str] = frozenset()
        """Names of further services that may begin to run."""
        self._by_name = {manifest.name: manifest for manifest in manifests}
        self._by_number = {manifest.id: manifest for manifest in manifests}
        if missing := [name for name in config.services if name not in self._by_name]:
            raise ConfigError(f"services: no manifest of {', '.join(missing)} was given")
        named: list[Manifest | Bundle] = [*manifests, *(rows.bundle for rows in bundles)]
        names = {each.id: each.name for each in named}
        for each in named:
            if (other := names[each.id]) != each.name:
                raise ConfigError(
                    f"services: {each.name} and {other} both have number {each.id}",
                    remedy="Give one another id in its manifest.toml, from 0xF0000000 on.",
                )

    def __iter__(self) -> Iterator[Manifest]:
        return iter(self._by_name.values())

    def __repr__(self) -> str:
        return f"<RunningServices {[f'{each.name} {each.version}' for each in self]}>"

    @property
    def by_number(self) -> Mapping[int, Manifest]:
        """The manifests as they are now, also later."""
        return self._by_number

    @property
    def bundles(self) -> Mapping[int, Rows]:
        """The bundles that are expanded here, by number, as they are now, also later."""
        return self._bundles

    @property
    def offers(self) -> tuple[Offer, ...]:
        """What the routing tells others of them, and of bundles."""
        bundles = (rows.bundle for rows in self._bundles.values())
        named: list[Manifest | Bundle] = [*self, *bundles]
        return tuple(Offer(each.id, *read_version(each.version)) for each in named)

    def name_of(self, number: int) -> str:
        """Return the name of a service, or its number where it does not run here."""
        manifest = self._by_number.get(number)
        return str(number) if manifest is None else manifest.name

    def numbers(self, services: Sequence[str]) -> tuple[int, ...]:
        """Return the numbers of services by name."""
        return tuple(self._by_name[service].id for service in services)

    def start(self, chains: Mapping[str, tuple[str, ...]]) -> None:
        """Tell the datapath of all services, chains and bundles."""
        for manifest in self:
            self._datapath.add_service(manifest.id, **datapath_options(manifest))
        if REACH in self._by_name:
            self._datapath.set_fallback(self._by_name[REACH].id)
        for service, chain in chains.items():
            self._datapath.set_chain(self._by_name[service].id, list(self.numbers(chain)))
        for rows in self._bundles.values():
            tell_bundle(self._datapath, rows)

    def set_bundle(self, rows: Rows) -> None:
        """Expand a bundle from now on, which may be another version of one that is.

        Raises:
            ConflictError: its number is that of a service or of another bundle.
        """
        bundle = rows.bundle
        other = self._named(bundle.id)
        if isinstance(other, Manifest) or (other is not None and other.name != bundle.name):
            raise ConflictError(
                f"{bundle.title} has number {bundle.id}, which is that of {other.name} here",
                remedy="Give it another id in its bundle.toml.",
            )
        self._bundles[bundle.id] = rows
        tell_bundle(self._datapath, rows)

    def remove_bundle(self, number: int) -> None:
        """Expand a bundle no more: who names it meets no service of that number."""
        if self._bundles.pop(number, None) is not None:
            forget_bundle(self._datapath, number)

    def renew(self, manifest: Manifest) -> None:
        """Tell the datapath of another version of a service: what waits stays, its decisions go.

        One that is expected may be the first version.

        Raises:
            ConflictError: it is no version of a service that runs here.
        """
        self.check_version(manifest)
        self._by_name[manifest.name] = self._by_number[manifest.id] = manifest
        self._datapath.add_service(manifest.id, **datapath_options(manifest))

    def check_version(self, manifest: Manifest) -> None:
        """Check that this is another version of a service that runs here, or an expected one.

        Raises:
            ConflictError: it has another number, or another kind of state; a bundle that is
                expanded here does not take this version; or none runs.
        """
        running = self._by_name.get(manifest.name)
        if running is None and manifest.name in self.expected:
            if (other := self._named(manifest.id)) is not None:
                raise ConflictError(
                    f"{manifest.name} has number {manifest.id}, which is that of {other.name} here",
                    remedy=f"Take {other.name} out of services in node.toml; then restart.",
                )
            return
        if running is None:
            raise ConflictError(
                f"{manifest.name} does not run here; there are: {', '.join(self._by_name)}",
                remedy="A service that is new here is named in services of node.toml: restart.",
            )
        self._check_bundles(manifest)
        for field in ("id", "state"):
            seen, allowed = getattr(manifest, field), getattr(running, field)
            if seen != allowed:
                raise ConflictError(
                    f"{manifest.name} {manifest.version}: {field} = {seen!r} seen, that of the"
                    f" version that runs allowed: {allowed!r}",
                    remedy="Give it a name of its own, and have packets name the new one.",
                )

    def _named(self, number: int) -> Manifest | Bundle | None:
        rows = self._bundles.get(number)
        return self._by_number.get(number) if rows is None else rows.bundle

    def _check_bundles(self, manifest: Manifest) -> None:
        for rows in self._bundles.values():
            if (refuser := rows.refuser_of(manifest)) is not None:
                bundle, part = refuser
                within = "" if bundle is rows.bundle else f" in {rows.bundle.title}"
                raise ConflictError(
                    f"{manifest.name} {manifest.version}: the bundle {bundle.title}{within} takes"
                    f" {part.version}",
                    remedy="Run a version of the bundle that takes it, or none.",
                )
