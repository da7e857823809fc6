"""Labs of real processes for tests: in a folder of their own, shared where they are dear."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ei.errors import DeniedError
from ei.lab.bare_hosts import HostOrder
from ei.lab.catalogue import find_topology
from ei.lab.demo import Outcome, run_demo
from ei.lab.namespaces import check_allowed
from ei.lab.narrator import Narrator
from ei.lab.processes import start_lab, stop_lab
from ei.lab.run_folder import LabFile
from ei.records.keys import make_keys


@pytest.fixture(scope="session")
def environ() -> Iterator[Mapping[str, str]]:
    """An environment whose state folder is private, and short enough for Unix sockets."""
    folder = tempfile.mkdtemp(prefix="ei-")
    yield {**os.environ, "XDG_STATE_HOME": folder}
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def allowed() -> None:
    """Skip where network namespaces may not be made."""
    try:
        check_allowed(environ=os.environ)
    except DeniedError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def spread(allowed: None, environ: Mapping[str, str]) -> Iterator[LabFile]:  # noqa: ARG001
    """A lab of the topology `echo` in network namespaces: leave it as you found it."""
    yield start_lab(find_topology("echo"), name="spread", environ=environ, backend="netns")
    stop_lab(name="spread", environ=environ)


@pytest.fixture(scope="session")
def running(environ: Mapping[str, str]) -> Iterator[LabFile]:
    """A lab of the topology `echo` that runs all the time: leave it as you found it."""
    yield start_lab(find_topology("echo"), name="shared", environ=environ)
    stop_lab(name="shared", environ=environ)


@pytest.fixture(scope="session")
def demo(environ: Mapping[str, str]) -> Outcome:
    """One run of the whole demo."""
    report = Path(environ["XDG_STATE_HOME"]) / "demo.html"
    return run_demo(Narrator(is_quiet=True), report_path=report, environ=environ)


@pytest.fixture
def silence() -> Iterator[str]:
    """An endpoint where datagrams are taken and nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{nobody.getsockname()[1]}"


@pytest.fixture
def lonely(silence: str) -> HostOrder:
    """A host whose node does not answer."""
    own, node = make_keys(b"h" * 32), make_keys(b"n" * 32)
    return HostOrder(
        address=own.address(1), pipe_secret=own.pipe_secret, bind="127.0.0.1:0",
        node=node.address(1), node_key=node.pipe_key, node_endpoint=silence,
    )  # fmt: skip
