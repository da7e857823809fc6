"""In a cluster, packets of a service whose state another member owns go to that member.

Those of a service with streams stay: a stream proves the node at which it ends, and so cannot be
carried on to another. Where the state is not, it is refused, and the host tries its next node.
"""

from collections.abc import Callable, Mapping

from ei.node.config import NodeConfig
from ei.node.running_services import REACH
from ei.sdk.manifest import Manifest
from ei.sdk.packets import Address

SetChain = Callable[[int, list[int]], object]


class Steering:
    """Puts the service that carries packets on in front of those that are owned elsewhere.

    Args:
        me: Address of this node.
        services: Numbers of the services whose state is replicated.
        set_chain: Of the datapath.
    """

    def __init__(
        self,
        config: NodeConfig,
        manifests: Mapping[str, Manifest],
        *,
        me: Address,
        services: frozenset[int],
        set_chain: SetChain,
    ) -> None:
        self._me = me
        self._set_chain = set_chain
        self._reach = manifests[REACH].id if REACH in manifests else None
        self._chains = {
            manifest.id: [manifests[each].id for each in config.chains.get(name, (name,))]
            for name, manifest in manifests.items()
            if manifest.id in services and "streams" not in manifest.capabilities
        }
        self._owned: dict[int, bool] = dict.fromkeys(self._chains, True)

    def follow(
        self, owners: Mapping[int, Address], *, between: Callable[[], object] = lambda: None
    ) -> None:
        """Let packets go where the state is.

        Args:
            between: Called once packets of what is owned here stay here, and before others are
                carried on: for the moment at which whoever carries them is told where to.
        """
        moved = [each for each in self._chains if self._owned[each] != self._is_here(each, owners)]
        for service in moved:
            if not self._owned[service]:
                self._steer(service, is_here=True)
        _ = between()
        for service in moved:
            if not self._is_here(service, owners):
                self._steer(service, is_here=False)

    def _is_here(self, service: int, owners: Mapping[int, Address]) -> bool:
        return owners.get(service) == self._me

    def _steer(self, service: int, *, is_here: bool) -> None:
        if self._reach is not None:
            chain = self._chains[service]
            _ = self._set_chain(service, chain if is_here else [self._reach, *chain])
        self._owned[service] = is_here
