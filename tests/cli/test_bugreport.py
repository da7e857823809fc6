"""A report on daemons that run, and on those that do not."""

import json
import tarfile
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from ei.cli.exits import Exit
from ei.records.key_files import read_keys


def contents_of(path: Path) -> dict[str, str]:
    """Return the files of an archive, without the folder that all are in."""
    found: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            assert content is not None
            found[member.name.partition("/")[2]] = content.read().decode()
    return found


def test_without_any_daemon_it_says_what_is_installed(ei: Run, tmp_path: Path) -> None:
    said = ei("bugreport", "--out", "report.tar.gz")

    assert said.code == Exit.OK, said.err
    assert "doctor.json" in said.out
    found = contents_of(tmp_path / "report.tar.gz")
    assert set(found) == {"version.json", "doctor.json"}
    assert json.loads(found["version.json"])["schema"] == "ei.version/1"


def test_a_dry_run_writes_nothing(ei: Run, tmp_path: Path) -> None:
    said = ei("bugreport", "--dry-run")

    assert "version.json" in said.out
    assert not list(tmp_path.glob("*.tar.gz"))


def test_a_node_that_does_not_start_is_reported_with_the_reason(ei: Run, tmp_path: Path) -> None:
    assert ei("key", "new", "domain.key").code == Exit.OK
    init = ("node", "init", "sn1.isp-a", "--domain-number", "1", "--endpoint", "127.0.0.1:40000")
    assert ei(*init).code == Exit.OK
    folder = tmp_path / "sn1.isp-a"
    keys = read_keys(folder / "key")
    secrets = (keys.identity_secret.hex(), keys.pipe_secret.hex())
    with (folder / "node.toml").open("a") as file:
        _ = file.write('\n[config.echo]\napi_token = "hunter2"\n')
    # As root sees the key of the user that the node runs as: not one to be used.
    (folder / "key").chmod(0o644)
    _ = (folder / "log").write_text("".join(f"leaked {secret}\n" for secret in secrets))

    said = ei("bugreport", "--socket", str(folder / "admin.sock"), "--out", "report.tar.gz")

    assert said.code == Exit.OK, said.err
    found = contents_of(tmp_path / "report.tar.gz")
    assert "no daemon answers" in found["daemon/status.json.missing"]
    assert "api_token" in found["daemon/check.json.missing"]
    assert 'name = "sn1.isp-a"' in found["daemon/config.toml"]
    assert found["daemon/log"] == 2 * "leaked (redacted)\n"
    everything = "".join(found.values())
    assert not [secret for secret in (*secrets, "hunter2") if secret in everything]


@pytest.mark.slow
def test_each_daemon_of_a_lab_is_in_it_and_no_key(
    lab: Run, running_lab: Path, tmp_path: Path
) -> None:
    said = lab("bugreport", "--lab", "default", "--out", "report.tar.gz", "--json")

    assert said.code == Exit.OK, said.err
    found = contents_of(tmp_path / "report.tar.gz")
    files = said.document["files"]
    assert isinstance(files, dict)
    assert list(files) == list(found)
    assert json.loads(found["sn1.isp-a/status.json"])["node"]["name"] == "sn1.isp-a"
    assert "statistics" in json.loads(found["sn1.isp-b/statistics.json"])
    assert "node runs" in found["sn1.isp-a/log"]
    assert json.loads(found["alice.isp-a/status.json"])["schema"] == "ei.host-status/1"
    everything = "".join(found.values())
    keys = list(running_lab.rglob("key"))
    assert len(keys) == 5
    for path in keys:
        own = read_keys(path)
        assert own.identity_secret.hex() not in everything
        assert own.pipe_secret.hex() not in everything
