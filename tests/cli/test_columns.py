from hypothesis import given
from hypothesis import strategies as st

from ei.cli.columns import folded, table_lines, width_of

HEADER = ("node", "services", "received")
ROWS = [("sn1.isp-a", "delivery, echo, multicast", "5"), ("n", "echo", "12")]


def lines(*, width: int) -> list[str]:
    return [line for row in table_lines(HEADER, ROWS, width=width) for line in row]


def test_columns_are_as_wide_as_their_widest_cells_where_that_fits() -> None:
    assert lines(width=80) == [
        "node       services                   received",
        "sn1.isp-a  delivery, echo, multicast         5",
        "n          echo                             12",
    ]


def test_numbers_go_to_the_right_and_keys_that_begin_with_a_digit_do_not() -> None:
    rows = [("1973709b8f1337b0", "365 days", "6/6"), ("95cedb55a5d99597", "9 days", "12")]

    shown = [
        line for row in table_lines(("key", "time left", "up"), rows, width=80) for line in row
    ]

    assert shown == [
        "key               time left   up",
        "1973709b8f1337b0   365 days  6/6",
        "95cedb55a5d99597     9 days   12",
    ]


def test_cells_are_folded_at_their_words_to_fit() -> None:
    assert lines(width=40) == [
        "node       services             received",
        "sn1.isp-a  delivery, echo,             5",
        "           multicast",
        "n          echo                       12",
    ]


def test_words_are_broken_only_where_nothing_else_helps() -> None:
    assert folded("sn1.isp-a--sn1.isp-b 3", 12) == ["sn1.isp-a--", "sn1.isp-b 3"]
    assert folded("abcdefgh", 3) == ["abc", "def", "gh"]


def test_further_lines_of_a_text_are_indented() -> None:
    assert folded("one two three", 7, indent="  ") == ["one two", "  three"]
    assert folded("  one  two", 80) == ["  one  two"]
    assert folded("  one two", 6, indent="    ") == ["  one", "    tw", "o"]


def test_wide_characters_count_as_two_columns_and_colours_as_none() -> None:
    assert width_of("a→b") == 3
    assert width_of("日本") == 4
    assert width_of("\x1b[31mred\x1b[0m") == 3


@given(
    rows=st.lists(st.tuples(*[st.text("ab.- 7日", max_size=30)] * 3), max_size=3),
    width=st.integers(24, 60),
)
def test_every_table_fits_and_says_all(rows: list[tuple[str, ...]], width: int) -> None:
    shown = [line for row in table_lines(HEADER, rows, width=width) for line in row]

    assert max(map(width_of, shown)) <= width
    said = sorted("".join(shown).replace(" ", ""))
    assert said == sorted("".join(map("".join, [HEADER, *rows])).replace(" ", ""))
