"""How fast the dashboard answers on a day of 100,000 order lines."""
