"""Whether a node can do what it is there for."""

from ei.node.admin import RunningStatus


def health(running: RunningStatus, *, unix_s: float) -> dict[str, str]:
    """Return what was looked at, and what is wrong with it; empty where all is well."""
    down = [worker.service for worker in running.workers if worker.state != "running"]
    refused = len(running.node.refused_records)
    is_over = running.node.record_expires_unix_s <= unix_s
    return {
        "workers": f"no worker runs for {', '.join(down)}" if down else "",
        "records": f"{refused} records are refused" if refused else "",
        "identity": "the record of this node has expired" if is_over else "",
        "draining": "" if running.node.drain is None else "the node drains, and stops then",
    }
