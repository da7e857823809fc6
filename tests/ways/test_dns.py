"""By whom `ei dns` looks names up; the program itself is tested with the command."""

import asyncio
from pathlib import Path

import pytest

from ei.errors import ConfigError
from ei.records.endpoints import parse_endpoint
from ei.ways.dns import run_dns


def test_a_loop_is_found_before_anything_starts(tmp_path: Path) -> None:
    here = parse_endpoint("127.0.0.1:5300")

    with pytest.raises(ConfigError, match="is this stub itself"):
        asyncio.run(
            run_dns(tmp_path / "host.toml", listen=here, servers=[here], opened=lambda *_: None)
        )
