"""Bundles: chains of services under one name and one number, checked before anything runs.

    bundle.toml ─▶ Bundle ─▶ expanded: a chain of services ─▶ judged: faults, and what it costs

Hosts name the bundle's number; nodes that have it run its chain in the place of one service.
"""

from ei.bundles.bundle import Bundle, Part, load_bundle
from ei.bundles.checking import Checked, check_bundle, refuse_faults
from ei.bundles.expanding import Chain, Known, Link
from ei.bundles.faults import Fault
from ei.bundles.finding import bundle_folder_of, find_bundles, known_in
from ei.bundles.preparing import prepare_bundles
from ei.bundles.rows import Rows, rows_of

__all__ = [
    "Bundle",
    "Chain",
    "Checked",
    "Fault",
    "Known",
    "Link",
    "Part",
    "Rows",
    "bundle_folder_of",
    "check_bundle",
    "find_bundles",
    "known_in",
    "load_bundle",
    "prepare_bundles",
    "refuse_faults",
    "rows_of",
]
