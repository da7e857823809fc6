"""Hosts without an application: their pipes, and when they have something to do."""

from ei.lab.bare_hosts import BareHost, HostOrder, open_pipes


def test_a_node_that_does_not_answer_is_given_up(lonely: HostOrder) -> None:
    host = BareHost(lonely)

    assert not open_pipes([host], limit_s=0.05)

    assert not host.is_up


def test_a_host_wakes_up_in_time_for_what_is_due(lonely: HostOrder) -> None:
    host = BareHost(lonely)
    host.dial()

    assert 0.0 <= host.wait_s() <= 0.1
