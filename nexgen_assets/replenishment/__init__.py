"""From forecasts to orders: positions, interval demand, policy, constraints, explanation. No Dagster here."""
