"""What etcd keeps of who owns a state."""

import pytest
from tests.cluster.world import address

from ei.cluster.ownership import Ownership, decode_ownership, encode_ownership
from ei.errors import ConfigError

ONE, TWO = address(1), address(2)


def test_what_is_kept_is_json_that_an_operator_can_read() -> None:
    kept = encode_ownership(Ownership(7, ONE, (ONE, TWO), 99))

    assert kept == (
        b'{"epoch":7,"owner":"%s","in_sync":["%s","%s"]}'
        % (ONE.hex().encode(), ONE.hex().encode(), TWO.hex().encode())
    )
    assert decode_ownership(kept, revision=12) == Ownership(7, ONE, (ONE, TWO), 12)


def test_the_next_owner_has_the_next_epoch() -> None:
    record = Ownership(7, ONE, (ONE, TWO), 99)

    assert record.passed_on(TWO, without=ONE) == Ownership(8, TWO, (TWO,), 99)
    assert record.passed_on(ONE) == Ownership(8, ONE, (ONE, TWO), 99)


def test_only_an_epoch_of_its_first_owner_alone_is_the_first() -> None:
    assert Ownership(1, ONE, (ONE,)).is_first
    assert not Ownership(1, ONE, (ONE, TWO)).is_first
    assert not Ownership(2, ONE, (ONE,)).is_first


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"{}",
        b'{"epoch":1,"owner":"zz","in_sync":[]}',
        b'{"epoch":1,"owner":"00","in_sync":["00"]}',
        b'{"epoch":1,"owner":"%s","in_sync":[]}' % ONE.hex().encode(),
        b'{"epoch":0,"owner":"%s","in_sync":["%s"]}' % ((ONE.hex().encode(),) * 2),
    ],
)
def test_what_somebody_else_has_written_there_is_refused(kept: bytes) -> None:
    with pytest.raises(ConfigError, match="etcd keeps"):
        decode_ownership(kept, revision=1)
