"""How a cluster is shown."""

from ei.cli.output import Output
from ei.node.cluster_status import ClusterStatus, ReplicaStatus


def show_cluster(cluster: ClusterStatus, output: Output) -> None:
    """Print members and replicas."""
    output.data(f"cluster {cluster.name}")
    if cluster.problem:
        output.fold(f"{output.mark('warn')} {cluster.problem}; owners stay as they are")
    output.data("")
    output.table(
        ("member", "lease", "pipe", "is"),
        [
            (
                member.name,
                "alive" if member.is_live else "ended",
                "up" if member.is_up else "down",
                "leaving" if member.is_leaving else "member",
            )
            for member in cluster.members
        ],
    )
    if cluster.replicas:
        output.data("")
        output.table(
            ("service", "epoch", "owner", "in sync", "here", "entries"),
            [
                (
                    replica.service,
                    str(replica.epoch),
                    replica.owner or "nobody yet",
                    ", ".join(replica.in_sync) or "-",
                    here(replica),
                    str(replica.standing.index if replica.standing else 0),
                )
                for replica in cluster.replicas
            ],
        )


def here(replica: ReplicaStatus) -> str:
    """Return in a word what the replica of a member does."""
    standing = replica.standing
    if standing is None:
        return "no worker"
    if standing.is_serving:
        return "serves"
    if not standing.is_whole and not standing.is_new:
        return "is repaired"
    return "waits" if standing.role != "following" else "follows"
