"""How long sending takes while the system takes nothing more: in a network namespace of its own.

    unshare --net python -m tests.native.slow_link

The namespace's loopback lets a kilobyte a second through; what waits for it fills the socket.
"""

import subprocess
import sys

from tests.native.rig import DATAGRAMS, DELIVERY, NODE, Rig, address, pump_until

from ei._core import monotonic_ns

TRAINS = 400
PAYLOADS = [bytes(1_200)] * 50


def main() -> None:
    """Write the longest of the last times that a train took, in milliseconds."""
    _ = subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with Rig() as rig:
        host, other = rig.pair(rig.attach())
        pump_until(lambda: host.is_up, host)
        slow = "tc qdisc add dev lo root tbf rate 8kbit burst 70000 limit 200m"
        _ = subprocess.run(slow.split(), check=True)
        took_ns: list[int] = []
        for _ in range(TRAINS):
            now_ns = monotonic_ns()
            _ = host.datapath.send(
                now_ns, address(NODE), DELIVERY, 1, other.address, PAYLOADS, protection=DATAGRAMS
            )
            began_ns = monotonic_ns()
            _ = host.socket.flush(host.datapath)
            took_ns.append(monotonic_ns() - began_ns)
    _ = sys.stdout.write(f"{max(took_ns[-20:]) / 1e6}\n")


if __name__ == "__main__":
    main()
