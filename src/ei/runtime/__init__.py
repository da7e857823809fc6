"""The standard execution environment: runs services, event by event."""

from ei.runtime.environment import Environment
from ei.runtime.inprocess import InProcess
from ei.runtime.limits import VirtualCost
from ei.runtime.loader import DatapathOptions, LoadedService, find_services, load_service
from ei.runtime.statistics import EnvironmentStatistics

__all__ = [
    "DatapathOptions",
    "Environment",
    "EnvironmentStatistics",
    "InProcess",
    "LoadedService",
    "VirtualCost",
    "find_services",
    "load_service",
]
