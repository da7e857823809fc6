"""Extensible Internet: a service layer, L3.5, between the Internet and its applications.

    with ei.connect() as host:                  # ei.aio.connect() is the async twin
        print(host.ping("bob.isp-b"))

What is named here is imported when it is first used, so that `import ei.sdk` pulls in nothing else.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ei import aio
    from ei.host.sync import connect

__all__ = ["aio", "connect"]


def __getattr__(name: str) -> object:
    """Import what is asked for (PEP 562)."""
    match name:
        case "connect":
            return import_module("ei.host.sync").connect
        case "aio":
            return import_module("ei.aio")
        case _:
            raise AttributeError(f"module 'ei' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List what can be asked for."""
    return [*globals(), *__all__]
