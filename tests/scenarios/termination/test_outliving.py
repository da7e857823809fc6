"""What is sent and fetched while a node is killed is weighed by its SHA-256."""

import hashlib

from ei.scenarios.termination.outliving import digest_of
from ei.scenarios.termination.servers import pieces


def test_a_digest_is_that_of_what_the_server_sends() -> None:
    assert digest_of(200_000) == hashlib.sha256(b"".join(pieces(200_000))).hexdigest()
