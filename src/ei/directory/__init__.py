"""The directory, service 2: names, addresses and attachments, each answered by its home domain.

Pure: time comes in as arguments, messages go out as pairs of peer and bytes. `ei.node` runs it.
"""

from ei.directory.directory import Directory
from ei.directory.messages import DIRECTORY, Addressed, Attached, Named, Query
from ei.directory.services import answer_of, asked_with, query_of
from ei.directory.stores import MemoryStore, Store
from ei.directory.uses import Resolution

__all__ = [
    "DIRECTORY",
    "Addressed",
    "Attached",
    "Directory",
    "MemoryStore",
    "Named",
    "Query",
    "Resolution",
    "Store",
    "answer_of",
    "asked_with",
    "query_of",
]
