"""Each forged registry is refused by the word that the scenario waits for."""

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.scenarios.governance.test_council import GOOD

from ei.errors import IntegrityError
from ei.registry.client import RegistryClient, Trust
from ei.registry.fetching import fetch_from
from ei.scenarios.governance.attacks import Attacks
from ei.scenarios.governance.council import NEEDED, Council
from ei.scenarios.governance.scenario import submit_evil

WORDS = (
    "threshold",
    "rollback",
    "freeze",
    "mix_and_match",
    "endless_data",
    "unapproved",
    "split_view",
)


@pytest.fixture
def council(tmp_path: Path) -> Iterator[Council]:
    with closing(Council(tmp_path, 7, ())) as made:
        yield made


@pytest.mark.slow
def test_d7_each_attack_is_refused_by_its_word(council: Council, tmp_path: Path) -> None:
    good = council.submit(GOOD)
    old = Path(shutil.copytree(council.public, tmp_path / "old"))
    council.propose(good)
    council.sign(NEEDED)
    council.publish(1.0)
    trust = Trust(council.root.read_bytes())
    attacks = Attacks(council, tmp_path, old, submit_evil(council, tmp_path))
    assert tuple(attacks.all()) == WORDS

    said: list[str] = []
    for word, make in attacks.all().items():
        folder = tmp_path / f"node-{word}"
        if word != "mix_and_match":  # shown to a node that is new
            honest = RegistryClient(folder, trust, fetch_from(str(council.public)))
            _ = honest.refresh(unix_s=time.time())
        node = RegistryClient(folder, trust, fetch_from(str(make())))
        try:
            said += dict(node.refresh(unix_s=time.time()).refused).values()
        except IntegrityError as error:
            said.append(error.word)

    assert tuple(said) == WORDS
