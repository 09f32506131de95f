"""From daily demand to forecasts: features, training frame, boosters, quantiles, evaluation. No Dagster here."""
