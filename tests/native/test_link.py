"""The Python face of `Link`; the model itself is tested against theory in `rust/links`."""

import pytest

from ei._core import Link


def test_the_same_seed_and_offers_give_the_same_arrivals() -> None:
    settings = {"delay_s": 0.01, "jitter_s": 0.01, "loss": 0.2, "duplicate": 0.2, "corrupt": 0.2}
    links = [Link(seed=7, **settings) for _ in range(2)]

    first, second = ([link.offer(now, b"datagram") for now in range(1_000)] for link in links)

    assert first == second
    assert first != [Link(seed=8, **settings).offer(now, b"datagram") for now in range(1_000)]


def test_a_corrupted_copy_differs_in_one_bit_and_leaves_the_original() -> None:
    datagram = bytes(100)

    [(at_ns, copy)] = Link(seed=1, corrupt=1.0).offer(5, datagram)

    assert at_ns == 5
    assert int.from_bytes(copy).bit_count() == 1
    assert datagram == bytes(100)


def test_a_length_arrives_when_its_bytes_would() -> None:
    a = Link(seed=3, delay_s=0.5, jitter_s=0.1, duplicate=0.5)
    b = Link(seed=3, delay_s=0.5, jitter_s=0.1, duplicate=0.5)

    for now in range(100):
        assert a.offer_length(now, 8) == [at_ns for at_ns, _ in b.offer(now, bytes(8))]


def test_a_cut_link_loses_everything_until_it_is_mended() -> None:
    link = Link(seed=1)
    link.is_cut = True
    assert link.offer(0, b"lost") == []

    link.is_cut = False

    assert link.offer(1, b"there") == [(1, b"there")]
    assert link.statistics()["lost"] == 1
    assert repr(link) == "<Link up, 1 of 2 lost, 1 delivered>"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"loss": 1.01}, "loss of 1.01 is not within 0 to 1"),
        ({"corrupt": -0.1}, "corrupt of -0.1 is not within 0 to 1"),
        ({"jitter_s": 1e9}, "jitter_s of 1000000000 is not within 0 to 3600"),
    ],
)
def test_a_setting_out_of_range_is_named(setting: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Link(seed=0, **setting)  # type: ignore[arg-type]
