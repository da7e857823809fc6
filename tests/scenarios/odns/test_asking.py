import pytest

from ei.errors import LocalError
from ei.scenarios.odns.asking import Performed, read_performed

PRINTED = """
Statistics:

  Queries sent:         9924
  Queries completed:    9921 (99.97%)
  Queries lost:         3 (0.03%)

  Response codes:       NOERROR 9900 (99.79%), SERVFAIL 21 (0.21%)
  Average packet size:  request 37, response 53
  Run time (s):         5.000000
  Queries per second:   1984.200000
"""


def test_what_dnsperf_says_of_a_run() -> None:
    assert read_performed(PRINTED) == Performed(9_924, 9_921, 3, 21, 1_984.2)


@pytest.mark.parametrize("printed", ["", "dnsperf: command not found", PRINTED[:90]])
def test_what_is_no_report_says_so(printed: str) -> None:
    with pytest.raises(LocalError, match="dnsperf says nothing"):
        _ = read_performed(printed)
