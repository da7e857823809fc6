import shutil
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from ei.errors import ConfigError, NotFoundError, ServiceError
from ei.runtime.loader import (
    ENVIRONMENT_COUNTERS,
    OWN_FOLDER,
    datapath_options,
    find_services,
    load_afresh,
    load_service,
    read_service,
)
from ei.runtime.modules import read_sources

MANIFEST = """
id = 0xF0000001
name = "{name}"
version = "0.0.1"
summary = "Drops."
drop_reasons = ["unwanted"]
counters = ["seen"]
capabilities = ["payload"]

[config]
"""

SERVICE = """
from ei.sdk import DropPacket, Service

class Mine(Service[None]):
    __slots__ = ()

    def on_packet(self, event, ctx):
        yield DropPacket("unwanted")

SERVICE = Mine
"""


def write(folder: Path, source: str = SERVICE, *, config: str = "") -> Path:
    folder.mkdir(parents=True)
    _ = (folder / "manifest.toml").write_text(MANIFEST.format(name=folder.name) + config)
    _ = (folder / "service.py").write_text(source)
    return folder


def test_our_own_services_are_found_by_name() -> None:
    assert find_services()["echo"] == OWN_FOLDER / "echo"
    assert load_service("echo").manifest.id == 17


def test_services_elsewhere_are_found_in_their_folder_or_the_one_above(tmp_path: Path) -> None:
    mine = write(tmp_path / "mine")

    assert find_services([tmp_path])["mine"] == mine
    assert find_services([mine])["mine"] == mine
    assert load_service("mine", [tmp_path]).folder == mine


def test_a_name_that_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"no service 'eco'; there are: .*delivery, echo"):
        _ = load_service("eco")


def test_services_of_one_name_in_two_places_are_two(tmp_path: Path) -> None:
    here = load_service(write(tmp_path / "here" / "mine"))
    there = load_service(write(tmp_path / "there" / "mine"))

    assert here.service is not there.service
    assert load_service(here.folder).service is here.service


def test_a_service_elsewhere_has_files_of_its_own(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", "from .messages import Join\nMESSAGES = Join\n" + SERVICE)
    _ = (folder / "messages.py").write_text(
        "import msgspec\n"
        "class Join(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):\n"
        "    group: bytes\n"
    )

    loaded = load_service(folder)

    assert [kind.__name__ for kind in loaded.messages] == ["Join"]


def test_reading_a_strangers_service_runs_neither_it_nor_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    _ = (tmp_path / "ei_test_library.py").write_text("")
    folder = write(tmp_path / "mine", "import ei_test_library\nraise RuntimeError")
    manifest = folder / "manifest.toml"
    _ = manifest.write_text('libraries = ["ei_test_library"]\n' + manifest.read_text())

    read = read_service(folder)
    assert "ei_test_library" not in sys.modules

    read.preload()
    assert sys.modules.pop("ei_test_library", None) is not None


def test_loading_afresh_runs_its_files_again(tmp_path: Path) -> None:
    loaded = load_service(write(tmp_path / "mine"))

    first, second = (load_afresh(loaded) for _ in range(2))

    assert len({loaded.service, first.service, second.service}) == 3
    assert first.manifest is loaded.manifest
    assert not any(name.startswith("ei_service_afresh") for name in sys.modules)


def test_what_has_its_sources_is_loaded_afresh_without_its_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine")
    loaded = replace(load_service(folder), sources=read_sources(folder))
    shutil.rmtree(folder)

    again = load_afresh(loaded)

    assert again.service is not loaded.service
    assert again.sources is loaded.sources


def test_the_datapath_is_told_what_it_must_know(tmp_path: Path) -> None:
    options = datapath_options(load_service(write(tmp_path / "mine")).manifest)

    assert options["reads_payload"] is True
    assert options["streams"] is False
    assert options["anonymous"] is False
    assert options["drop_reasons"] == ["unwanted"]
    assert options["counters"] == ["seen", *ENVIRONMENT_COUNTERS]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "SERVICE = a subclass of Service is missing"),
        ("SERVICE = 5", "SERVICE = a subclass of Service is missing"),
        ("SERVICE = int", "SERVICE = a subclass of Service is missing"),
        ("1/0", "cannot be loaded: ZeroDivisionError"),
        (SERVICE.replace("__slots__ = ()", ""), "class Mine: instances have attributes; write"),
        (SERVICE.replace("on_packet", "on_pakcet"), "class Mine: on_packet is missing"),
        (SERVICE + "Config = 5", "Config: not a msgspec.Struct"),
        (SERVICE + "MESSAGES = int", "MESSAGES: <class 'int'>: not a msgspec.Struct"),
        (SERVICE + "MESSAGES = int | str", "MESSAGES: <class 'int'>: not a msgspec.Struct"),
        (
            SERVICE + "import msgspec\nclass Config(msgspec.Struct): pass",
            "Config: forbid_unknown_fields=True missing",
        ),
        (
            SERVICE + "import msgspec\nclass M(msgspec.Struct): pass\nMESSAGES = M",
            "MESSAGES: M: strangers write it, so it is declared with frozen=True",
        ),
    ],
)
def test_what_a_service_lacks_is_said(tmp_path: Path, source: str, said: str) -> None:
    folder = write(tmp_path / "mine", source)

    with pytest.raises(ServiceError, match=r"mine/service\.py") as caught:
        _ = load_service(folder)

    assert said in str(caught.value)


CONFIGURED = (
    SERVICE
    + """
import msgspec

class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ttl_s: float
"""
)


def test_the_configuration_is_the_manifests_with_overrides(tmp_path: Path) -> None:
    loaded = load_service(write(tmp_path / "mine", CONFIGURED, config="ttl_s = 5.0"))

    assert msgspec.to_builtins(loaded.parse_config({})) == {"ttl_s": 5.0}
    assert msgspec.to_builtins(loaded.parse_config({"ttl_s": 6})) == {"ttl_s": 6.0}


def test_a_wrong_configuration_is_refused_with_its_field(tmp_path: Path) -> None:
    loaded = load_service(write(tmp_path / "mine", CONFIGURED, config="ttl_s = 5.0"))

    with pytest.raises(ConfigError, match=r"mine/manifest.toml: .*`float`.* at `config\.ttl_s`"):
        _ = loaded.parse_config({"ttl_s": "long"})
    with pytest.raises(ConfigError, match=r"no key 'tll_s' in \[config\].*mean 'ttl_s'\?"):
        _ = loaded.parse_config({"tll_s": 5.0})


def test_a_service_without_configuration_takes_none(tmp_path: Path) -> None:
    loaded = load_service(write(tmp_path / "mine"))

    assert loaded.parse_config({}) is None
    with pytest.raises(ConfigError, match=r"no key 'ttl_s' in \[config\] .*allowed: none"):
        _ = loaded.parse_config({"ttl_s": 5.0})
