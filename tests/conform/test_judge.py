import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.conform.planted import HONEST

from ei.conform.judge import Judged, Refusal

pytestmark = pytest.mark.slow


def judged(folder: Path) -> Judged | Refusal:
    said = subprocess.run(
        [sys.executable, "-m", "ei.conform.judge", str(os.getpid()), folder, "1", "8"],
        check=True,
        capture_output=True,
    )
    return msgspec.json.decode(said.stdout, type=Judged | Refusal)


def test_its_one_line_is_the_certificate(tmp_path: Path) -> None:
    answer = judged(HONEST.plant(tmp_path))

    assert isinstance(answer, Judged)
    assert answer.certificate.is_kept


def test_or_why_there_is_none(tmp_path: Path) -> None:
    answer = judged(tmp_path)

    assert isinstance(answer, Refusal)
    assert answer.kind == "ConfigError"
