"""C14: what is wrong with a module before it runs is said with a code, the place and the cure."""

from pathlib import Path

import pytest
from tests.conform.planted import HONEST

from ei.cli.problems import problem_of
from ei.errors import EiError
from ei.runtime.loader import load_service

BAD_MANIFESTS: list[tuple[str, str, str]] = [
    # One line in the manifest, the field that is named, a part of the cure.
    ("handler_ms = 0", "handler_ms", "1 to 10_000 allowed"),
    ("handler_ms = 60", "handler_ms", "write tier = 'heavy'"),
    ("handler_ms = 'fast'", "handler_ms", "1 to 10_000 allowed"),
    ("stable_bytes = -1", "stable_bytes", "0 to 2^40 bytes allowed"),
    ("stable_bytes = 200_000_000", "stable_bytes", "write tier = 'heavy'"),
    ("ephemeral_bytes = 100_000_000", "ephemeral_bytes", "write tier = 'heavy'"),
    ("queue_packets = 0", "queue_packets", "1 to 65_536 allowed"),
    ("max_hops = 2_000", "max_hops", "1 to 1_024 allowed"),
    ("match_metadata = 256", "match_metadata", "0 to 255 bytes allowed"),
    ("max_objects = -5", "max_objects", "0 to 2^20 allowed"),
    ("capabilities = ['files']", "capabilities", "payload, streams, internet, sites allowed"),
    ("capabilities = ['internet']", "capabilities", "without 'streams', which it needs"),
    ("capabilities = ['payload', 'payload']", "capabilities", "each word once allowed"),
    ("capabilities = ['records.write']", "capabilities", "not in this version"),
    ("anonymous = true", "anonymous", "without 'streams', which it needs"),
    ("tier = 'tiny'", "tier", "nano, standard, heavy allowed"),
    ("libraries = ['os']", "libraries", "names of packages that are no part of Python"),
    ("fail = 'maybe'", "fail", "closed, open, bypass allowed"),
    ("state = 'lost'", "state", "recomputable, durable, replicated allowed"),
    ("copies = 0", "copies", "1 to 16 allowed"),
    ("compat = '2999-01-01'", "compat", "a later date is of a newer version of ei"),
    ("engine = 'lua'", "engine", "allowed"),
    ("shard = 'tenant'", "shard", "not in this version"),
    ("handlerms = 5", "handlerms", "did you mean handler_ms?"),
    ("config = 5", "config", "a table allowed"),
]
BAD_MODULES: list[tuple[str, int, str]] = [
    # The first lines of service.py, the line that is named (0: the file), a part of the cure.
    ("import socket\n", 1, "packets leave by SendPacket"),
    ("\nimport time\n", 2, "ctx.now_s"),
    ("import os.path\n", 1, "ctx.stable"),
    ("import subprocess\n", 1, "starts no programs"),
    ("import threading\n", 1, "one event is handled at a time"),
    ("import secrets\n", 1, "ctx.random"),
    ("import ctypes\n", 1, "ask for a native stage"),
    ("from ei.runtime import loader\n", 1, "a service imports ei.sdk"),
    ("import numpy\n", 1, "declare it in manifest.toml: libraries = ['numpy']"),
    ("from . import client\nfrom .client import x\n", 2, "all but client.py"),
    ("open('x')\n", 1, "ctx.stable"),
    ("print('x')\n", 1, "count with Count"),
    ("eval('1')\n", 1, "code is not data"),
    ("def f(:\n", 1, "no Python"),
    ("x = 1 / 0\n", 1, "ZeroDivisionError"),
    ("SERVICE = 5\n", 0, "SERVICE = a subclass of Service is missing"),
]


def refused(folder: Path) -> tuple[str, str]:
    """Return the code and the cause with which a module is refused."""
    with pytest.raises(EiError) as caught:
        _ = load_service(folder)
    problem = problem_of(caught.value)
    assert problem.action
    return problem.kind.name, problem.cause


@pytest.mark.parametrize(("line", "field", "cure"), BAD_MANIFESTS)
def test_c14_a_bad_manifest_is_refused_with_code_field_and_cure(
    line: str, field: str, cure: str, tmp_path: Path
) -> None:
    folder = HONEST.plant(tmp_path)
    manifest = folder / "manifest.toml"
    others = [
        each
        for each in manifest.read_text().splitlines()
        if each.partition("=")[0] != line.partition("=")[0]
    ]
    _ = manifest.write_text("\n".join([*others, line]))

    code, cause = refused(folder)

    assert code == "EI-1007"
    assert f"manifest.toml: {field}: " in cause
    assert cure in cause


@pytest.mark.parametrize(("text", "line", "cure"), BAD_MODULES)
def test_c14_a_bad_module_is_refused_with_code_line_and_cure(
    text: str, line: int, cure: str, tmp_path: Path
) -> None:
    folder = HONEST.plant(tmp_path)
    before = "" if "SERVICE" in text else (folder / "service.py").read_text()
    _ = (folder / "service.py").write_text(text + before)

    code, cause = refused(folder)

    assert code == "EI-2001"
    assert f"service.py:{line}: " in cause if line else "service.py: " in cause
    assert cure in cause


def test_c14_there_are_forty() -> None:
    assert len(BAD_MANIFESTS) + len(BAD_MODULES) >= 40
