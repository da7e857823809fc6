"""What a directory counts."""

from collections.abc import Mapping

import msgspec

from ei.directory.handing import HandingStatistics
from ei.directory.publishing import PublishingStatistics
from ei.directory.resolver import ResolverStatistics


class DirectoryStatistics(msgspec.Struct, frozen=True):
    """The books of one node's directory.

    Attributes:
        is_directory: It answers for its domain.
        taken: Messages that arrived and could be read.
        registered: Attachments that it keeps for its domain.
        refused: By reason, see `ei.directory.reasons`.
    """

    is_directory: bool
    taken: int
    registered: int
    publishing: PublishingStatistics
    resolver: ResolverStatistics
    handing: HandingStatistics
    refused: Mapping[str, int]
