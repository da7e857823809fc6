"""The kinds of store behind `ctx.stable` and `ctx.ephemeral`."""

from ei.runtime.stores.memory import MemoryStore
from ei.runtime.stores.replicated import Commits, ReplicatedStore
from ei.runtime.stores.sqlite import SqliteStore
from ei.runtime.stores.transactions import RefusedError, StoreStatistics, TransactionalStore

__all__ = [
    "Commits",
    "MemoryStore",
    "RefusedError",
    "ReplicatedStore",
    "SqliteStore",
    "StoreStatistics",
    "TransactionalStore",
]
