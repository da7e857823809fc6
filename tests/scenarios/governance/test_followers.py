"""What a node says of its registry is read as the scenario means it."""

import msgspec

from ei.node.registry_status import RegistryStatus
from ei.scenarios.governance.followers import is_refused

STATUS = RegistryStatus("http://r:1", 1, 0.0, 0.0, "", {}, ())


def test_a_registry_or_one_release_of_it_is_refused_by_a_word() -> None:
    refused = msgspec.structs.replace(STATUS, trouble="freeze: it has expired")
    evil = msgspec.structs.replace(STATUS, refused={"evil@0.1.0": "unapproved"})

    assert is_refused(refused, "freeze")
    assert is_refused(evil, "unapproved")
    assert not is_refused(STATUS, "freeze")
    assert not is_refused(refused, "rollback")
