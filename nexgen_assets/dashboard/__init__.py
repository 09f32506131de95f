"""The planner's front door: the FastAPI application and who may use it. No Dagster graph, no Spark."""
