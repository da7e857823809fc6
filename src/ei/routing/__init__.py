"""Routing between domains (service 3): signed announcements, and which peers lead where."""

from ei.routing.announcements import Offer, Version, read_version
from ei.routing.answers import Route
from ei.routing.atlas import Atlas
from ei.routing.memo import Memo
from ei.routing.policy import Policy, Relation, read_policy
from ei.routing.router import Router
from ei.routing.routes import Changes

ROUTING = 3

__all__ = [
    "ROUTING",
    "Atlas",
    "Changes",
    "Memo",
    "Offer",
    "Policy",
    "Relation",
    "Route",
    "Router",
    "Version",
    "read_policy",
    "read_version",
]
