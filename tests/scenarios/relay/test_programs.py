"""What a program printed and what it complained of are told apart."""

import os
import sys

from ei.scenarios.relay.programs import ran

SCRIPT = "import sys; print('said'); sys.exit('complained')"


def test_a_program_is_run_to_its_end() -> None:
    assert ran((sys.executable, "-c", SCRIPT), dict(os.environ), None) == (1, "said", "complained")
