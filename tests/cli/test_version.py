from tests.cli.conftest import Run


def test_version_says_what_is_installed_and_what_it_speaks(ei: Run) -> None:
    document = ei("version", "--json").document

    assert document["schema"] == "ei.version/1"
    assert document["wire"] == 1
    assert document["keys"] == "X25519 + ML-KEM-768"
    assert str(document["version"])[0].isdigit()


def test_the_flag_that_all_programs_have_says_the_same(ei: Run) -> None:
    assert ei("--version") == ei("version")
    assert ei("--version", "--json") == ei("version", "--json")
