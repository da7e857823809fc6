"""What the map in the terminal promises."""

from ei.lab.builder import regular
from ei.lab.catalogue import find_topology
from ei.lab.terminal_map import draw_map


def test_every_domain_node_and_host_of_the_demo_is_on_the_map() -> None:
    drawn = draw_map(find_topology("demo"))

    assert drawn.count("●") == 5
    assert drawn.count("○") == 8
    for word in ("isp-a", "isp-b", "campus", "alice", "chen"):
        assert word in drawn


def test_all_lines_of_a_row_are_equally_long() -> None:
    lines = draw_map(find_topology("demo")).split("\n")

    assert len({len(line) for line in lines}) == 1


def test_a_narrow_terminal_gets_the_domains_below_each_other() -> None:
    wide, narrow = (draw_map(find_topology("demo"), width=width) for width in (200, 50))

    assert wide.count("\n") < narrow.count("\n")
    assert max(map(len, narrow.split("\n"))) <= 50


def test_a_large_domain_is_summed_up() -> None:
    assert "and 92 more" in draw_map(regular(nodes=10, hosts=100), width=300)
