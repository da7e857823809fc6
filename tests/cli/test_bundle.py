"""`ei bundle check` says whether a bundle fits, what it costs, and what to do where it does not."""

from pathlib import Path

from tests.cli.conftest import Run

from ei.cli.exits import Exit

SMALL = """\
id = 112
name = "small"
version = "1.0.0"
summary = "Delivery that is compressed between nodes."

[[services]]
name = "compression"
version = ">=0.1, <0.2"
[[services]]
name = "delivery"
[[services]]
name = "compression"
"""


def write(tmp_path: Path, text: str) -> str:
    folder = tmp_path / "small"
    folder.mkdir()
    _ = (folder / "bundle.toml").write_text(text)
    return str(folder)


def test_a_bundle_that_fits_is_shown_with_what_it_costs(ei: Run, tmp_path: Path) -> None:
    said = ei("bundle", "check", write(tmp_path, SMALL))

    assert said.code == Exit.OK
    assert "to nodes" in said.out
    assert "small@1.0.0, number 112, fits" in said.out
    assert "up to 170 ms of CPU time" in " ".join(said.out.split())


def test_its_answer_is_one_json_object(ei: Run, tmp_path: Path) -> None:
    document = ei("bundle", "check", write(tmp_path, SMALL), "--json").document

    assert (document["schema"], document["bundle"]) == ("ei.bundle-check/1", "small@1.0.0")
    assert document["faults"] == []


def test_one_that_does_not_fit_is_refused_by_line_and_code(ei: Run, tmp_path: Path) -> None:
    text = SMALL.replace('summary = "Delivery', 'takes = "sealed"\nsummary = "Delivery')

    said = ei("bundle", "check", write(tmp_path, text))

    assert said.code == Exit.NEGATIVE
    assert "small/bundle.toml:8: wrong_kind: compression takes" in said.out.replace("\n", "")


def test_services_of_others_are_found_where_they_are(ei: Run, tmp_path: Path) -> None:
    module = tmp_path / "modules" / "sieve"
    module.mkdir(parents=True)
    _ = (module / "manifest.toml").write_text(
        'id = 4026531850\nname = "sieve"\nversion = "1.0.0"\nsummary = "x"\n'
        "hands_on = true\nmatch_metadata = 0\n"
    )
    folder = write(
        tmp_path,
        SMALL.replace('name = "delivery"', 'name = "sieve"\n[[services]]\nname = "delivery"'),
    )

    without, said = (
        ei("bundle", "check", folder, *more)
        for more in ((), ("--services", str(tmp_path / "modules")))
    )

    assert "unknown_service: no service or bundle is called 'sieve'" in without.out
    assert said.code == Exit.OK
