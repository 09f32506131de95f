"""From landing files to daily demand: parse, clean, aggregate. No Dagster here, no clock, no S3."""
