"""A node that the records do not know as it is does not run; more in `test_node.py`."""

import pytest
from tests.node.test_node import SN1, SN2, config, records, with_pipe_key

from ei.errors import ConfigError
from ei.node.identity import check_identity


def test_a_node_that_the_records_know_is_itself() -> None:
    check_identity(config(), records(), SN1.address(1), SN1.pipe_key)


def test_another_key_of_pipes_or_another_name_is_said() -> None:
    other = with_pipe_key(SN1, SN2)

    with pytest.raises(ConfigError, match=r"another pipe key of sn1\.isp-a"):
        check_identity(config(), records(), SN1.address(1), other.pipe_key)
    with pytest.raises(ConfigError, match=r"the records know node sn2\.isp-a with the key of sn1"):
        check_identity(config(), records(), SN2.address(1), SN2.pipe_key)
