from ei.conform.verdicts import KEPT, NONE, Verdict, broken


def test_what_is_broken_says_where_and_how() -> None:
    assert broken(3, "why") == Verdict("broken", 3, "why")
    assert (KEPT.said, NONE.said) == ("", "")
