"""The kept certificates are of the services that there are, and say that they keep the laws."""

from tools.conformance_page import ENVIRONMENTS, read_certificates

from ei.conform.laws import TITLES
from ei.runtime.loader import find_services
from ei.sdk import load_manifest


def test_each_service_has_its_certificate_for_its_version() -> None:
    manifests = [load_manifest(folder) for folder in find_services().values()]

    assert {(each.module, each.version) for each in read_certificates()} == {
        (manifest.name, manifest.version) for manifest in manifests
    }


def test_no_law_is_broken() -> None:
    assert all(each.is_kept for each in read_certificates())


def test_each_law_is_in_one_column() -> None:
    laws = [law for column in ENVIRONMENTS.values() for law in column]

    assert sorted(laws) == sorted(TITLES)
