"""How the registry that a node follows is shown."""

import time

from ei.cli.output import Output
from ei.cli.quantities import lifetime
from ei.node.registry_status import FollowedStatus, RegistryStatus


def show_followed(status: RegistryStatus | None, output: Output) -> None:
    """Print what a node has of its registry, if it follows one."""
    if status is None:
        return
    output.fold(line_of(status, unix_s=time.time()))
    if status.trouble:
        output.fold(f"{output.mark('warn')} registry not believed: {status.trouble}")
    for release, word in status.refused.items():
        output.fold(f"{output.mark('warn')} release {release} refused: {word}")
    for each in (*status.services, *status.bundles):
        if each.trouble:
            output.fold(f"{output.mark('warn')} {each.service}: {each.trouble}")


def line_of(status: RegistryStatus, *, unix_s: float) -> str:
    """Return in one line what is followed, how fresh it is, and how far releases are."""
    said = "never believed yet"
    if status.seen_unix_s:
        seen_s, left_s = unix_s - status.seen_unix_s, status.expires_unix_s - unix_s
        said = (
            f"version {status.version}, believed {lifetime(seen_s)} ago,"
            f" {f'good for {lifetime(left_s)}' if left_s > 0 else 'expired'}"
        )
    releases = ", ".join(map(_release, (*status.services, *status.bundles)))
    return f"registry {status.url}: {said}; {releases}"


def _release(each: FollowedStatus) -> str:
    if not each.version:
        return f"{each.service} has no release"
    taken = "runs here" if each.is_taken else "not here"
    return f"{each.service} {each.version} for {each.share:.0%} of nodes, {taken}"
