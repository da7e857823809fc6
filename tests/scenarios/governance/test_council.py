"""The council keeps a registry that nodes can follow, and takes its nodes' reports."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ei.errors import IntegrityError
from ei.lab.catalogue import SCENARIOS
from ei.registry.client import RegistryClient, Trust
from ei.registry.fetching import fetch_from
from ei.scenarios.governance.council import NEEDED, Council

GOOD = SCENARIOS / "governance" / "good" / "greeter"


@pytest.fixture
def council(tmp_path: Path) -> Iterator[Council]:
    with closing(Council(tmp_path, 7, ())) as made:
        yield made


def client(council: Council, folder: Path) -> RegistryClient:
    return RegistryClient(folder, Trust(council.root.read_bytes()), fetch_from(council.url))


@pytest.mark.slow
def test_what_enough_governors_sign_comes_to_nodes(council: Council, tmp_path: Path) -> None:
    release = council.submit(GOOD)
    council.propose(release)
    council.sign(NEEDED - 1)
    with pytest.raises(IntegrityError):
        council.publish(1.0)
    council.sign(NEEDED)
    council.publish(0.5)

    seen = client(council, tmp_path / "node").refresh(unix_s=time.time())

    assert [(str(each), each.share) for each in seen.releases] == [("greeter@0.1.0", 0.5)]
    council.revoke(release, "a test")
    council.replace_online_key()
    again = client(council, tmp_path / "node").refresh(unix_s=time.time())
    assert (again.releases[0].revoked, again.root_version) == ("a test", 2)
