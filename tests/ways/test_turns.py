from ei.ways.turns import Turns


def test_one_source_alone_gets_half_of_all() -> None:
    turns = Turns(8)

    taken = [turns.take("a") for _ in range(10)]

    assert taken.count(True) == 4
    assert len(turns) == 4


def test_who_comes_anew_finds_a_share() -> None:
    turns = Turns(12)
    for source in ("greedy", "second", "third"):
        taken = [turns.take(source) for _ in range(100)]

        assert any(taken), source


def test_no_more_are_on_their_way_than_the_limit_whoever_they_are() -> None:
    turns = Turns(8)

    taken = [turns.take(f"source {number}") for number in range(100)]

    assert taken.count(True) <= 8


def test_a_turn_that_ended_leaves_nothing() -> None:
    turns = Turns(4)
    for _ in range(10):
        assert turns.take("a")
        turns.give_back("a")
    taken = [turns.take("a") for _ in range(10)]
    for _ in range(taken.count(True)):
        turns.give_back("a")

    assert repr(turns) == "<Turns 0 of 4, 0 sources>"
