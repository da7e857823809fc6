from tests.cli.conftest import Run


def test_every_scenario_and_topology_has_its_summary(ei: Run) -> None:
    document = ei("lab", "examples", "--json").document

    scenarios, topologies = document["scenarios"], document["topologies"]
    assert isinstance(scenarios, dict)
    assert isinstance(topologies, dict)
    assert {"echo", "delivery"} <= set(scenarios)
    assert {"demo", "threedomains"} <= set(topologies)
    assert all([*scenarios.values(), *topologies.values()])


def test_they_fit_a_terminal_of_80_columns(ei: Run) -> None:
    assert ei("lab", "examples").widest <= 80
