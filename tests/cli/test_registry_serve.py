import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import pytest
from tests.cli.conftest import Run
from tests.cli.registry_of import approve, begun, done, published, witness

from ei.cli.exits import Exit


@contextmanager
def served() -> Generator[str]:
    """Serve the registry in a process of its own; yield its address."""
    words = [sys.executable, "-m", "ei", "registry", "serve", "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield str(json.loads(process.stdout.readline())["address"])
        finally:
            process.terminate()
        assert process.wait() == Exit.TERMINATED


@pytest.mark.slow
def test_nodes_and_witnesses_go_by_http(ei: Run) -> None:
    begun(ei)
    submitted = published(ei).document
    with served() as address:
        for name in ("w0", "w1"):
            done(witness(ei, name, "--registry", address))
        done(approve(ei, "anne", "bert", release="hello@0.1.0"))

        verified = done(ei("registry", "verify", "--registry", address, "--json")).document

    (release,) = verified["releases"]  # type: ignore[misc]
    assert release["digest"] == submitted["digest"]


def test_what_has_not_begun_is_not_served(ei: Run) -> None:
    done(ei("key", "new", "anne.key"))
    key = str(ei("key", "show", "anne.key", "--json").document["identity"])
    done(ei("registry", "init", key, "--threshold", "1"))

    assert ei("registry", "serve").code == Exit.CONFLICT
