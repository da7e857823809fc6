"""What `import ei` offers is there when asked for, and costs nothing before."""

import subprocess
import sys

import pytest

import ei
from ei import aio
from ei.host.client import Host


def test_the_names_are_those_of_the_host() -> None:
    assert aio.Host is Host
    assert ei.aio is aio
    assert {"connect", "aio"} <= set(dir(ei))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'conect'"):
        _ = ei.conect  # type: ignore[attr-defined]


@pytest.mark.slow
def test_importing_the_sdk_imports_nothing_of_the_host() -> None:
    code = "import sys, ei, ei.sdk; print([m for m in sys.modules if m.startswith('ei.')])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    modules = done.stdout
    assert "ei.sdk" in modules
    assert not any(part in modules for part in ("ei.host", "ei.node", "ei._core", "asyncio"))
