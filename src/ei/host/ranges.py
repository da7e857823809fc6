"""Numbers that applications give, pure: refused when they do not fit their field on the wire."""

from ei.errors import LocalError

MAX_PORT = 2**16 - 1
MIN_SERVICE = 2
"""0 is reserved, and 1 is the pipe itself."""
MAX_SERVICE = 2**32 - 1
MAX_CONNECTION = 2**64 - 1
MAX_TRAFFIC_CLASS = 2**16 - 1


def check_port(port: int) -> None:
    """Raise a `LocalError` unless it is the number of a port."""
    _check("port", port, 0, MAX_PORT)


def check_service(service: int) -> None:
    """Raise a `LocalError` unless it is the number of a service."""
    _check("service", service, MIN_SERVICE, MAX_SERVICE)


def check_connection(connection: int) -> None:
    """Raise a `LocalError` unless it is the number of a connection."""
    _check("connection", connection, 0, MAX_CONNECTION)


def check_traffic_class(traffic_class: int) -> None:
    """Raise a `LocalError` unless it is a class of service."""
    _check("traffic class", traffic_class, 0, MAX_TRAFFIC_CLASS)


def _check(what: str, number: int, least: int, most: int) -> None:
    if not least <= number <= most:
        raise LocalError(f"{what} {number} is not {least} to {most}")
