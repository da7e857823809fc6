"""Six domains that do not trust one another, and one internet of them."""
