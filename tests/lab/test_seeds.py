"""What labelled hashing promises."""

from ei.lab.seeds import derive, derive_number


def test_the_same_label_gives_the_same_bytes() -> None:
    assert derive(7, "host", "alice") == derive(7, "host", "alice")


def test_seeds_labels_and_their_borders_all_matter() -> None:
    outcomes = {
        derive(7, "host", "alice"),
        derive(8, "host", "alice"),
        derive(7, "host", "alic", "e"),
        derive(7, "hosta", "lice"),
    }

    assert len(outcomes) == 4


def test_derivation_never_changes_between_versions() -> None:
    assert derive(7, "golden").hex()[:16] == "7627696ebd65eb09"


def test_numbers_have_64_bits() -> None:
    numbers = [derive_number(seed, "n") for seed in range(64)]

    assert all(0 <= number < 2**64 for number in numbers)
    assert any(number >= 2**63 for number in numbers)
