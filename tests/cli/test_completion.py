import subprocess

import pytest
from tests.cli.conftest import Run

from ei.cli.completion import SHELLS


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_all_commands(ei: Run, shell: str) -> None:
    said = ei("completion", shell)

    assert said.code == 0
    assert "decode" in said.out


def test_bash_takes_the_script_and_completes(ei: Run) -> None:
    script = ei("completion", "bash").out
    ask = '\nCOMP_WORDS=(ei dec); COMP_CWORD=1; _shtab_ei ei dec ei; echo "${COMPREPLY[@]}"'

    said = subprocess.run(["bash", "-c", script + ask], check=True, capture_output=True, text=True)

    assert said.stdout.split() == ["decode"]
