"""The command `ei`: one file per noun or verb, each with `add_parser` and `execute`.

A command parses its arguments into typed values, calls one function of the layers below, and shows
what it returned. Nothing is decided here.
"""

from ei.cli.main import main

__all__ = ["main"]
