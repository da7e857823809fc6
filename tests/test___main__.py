import subprocess
import sys


def test_python_m_ei_is_the_command() -> None:
    command = [sys.executable, "-m", "ei", "--help"]

    said = subprocess.run(command, check=True, capture_output=True, text=True)

    assert said.stdout.startswith("usage: ei ")
