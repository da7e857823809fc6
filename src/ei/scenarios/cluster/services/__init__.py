"""Services of the scenario."""
