import msgspec

from ei.scenarios.compression.readings import readings


def test_readings_are_json_of_142_bytes_on_average_and_no_two_are_the_same() -> None:
    made = list(readings(1, 500))

    assert round(sum(map(len, made)) / 500) == 142
    assert len(set(made)) == 500
    assert msgspec.json.decode(made[0])["firmware"] == "2.14"


def test_a_seed_says_the_same_again_and_another_says_otherwise() -> None:
    assert list(readings(1, 9)) == list(readings(1, 9))
    assert not set(readings(1, 500)) & set(readings(2, 500))
