"""The two kinds of store behind `ctx.stable` and `ctx.ephemeral`."""

from ei.runtime.stores.memory import MemoryStore
from ei.runtime.stores.sqlite import SqliteStore
from ei.runtime.stores.transactions import StoreStatistics, TransactionalStore

__all__ = ["MemoryStore", "SqliteStore", "StoreStatistics", "TransactionalStore"]
