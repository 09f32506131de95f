"""The jobs: their names, and which assets each builds.

What belongs here: names, which anything may use, because this module imports nothing. What does not: the definitions of
the jobs (`automation.py`), and which runs a change needs (`launcher.py`).
"""

INGEST, HISTORY, DAILY, TRAINING, ROLLBACK = "ingest", "history", "daily", "training", "rollback_model"
BACKTESTING = "backtesting"  # a job may not have the name of an asset
SIMULATION = "simulate_policies"
SEARCH = "search_parameters"
ROLL_BACK = "roll_back"  # the op of the job ROLLBACK
LANDING_SENSOR = "landing_zone"

LANDING = (
    *("landing_files", "calendar", "inventory_counts", "products", "suppliers", "item_locations", "order_policies"),
    "network",
)
SPINE_TO_FEATURES = ("raw_sales", "cleaned_sales", "rejected_sales", "daily_demand", "cleaned_features")
SPINE_TO_ORDERS = (
    *("open_orders", "inventory_positions", "centre_stock", "forecasts", "reorder_recommendations", "order_exceptions"),
    "transfer_suggestions",
)
# rebuilt with the sales of old days too: what was forecast then stays, what was sold is corrected
JUDGEMENT = ("forecast_accuracy",)
# the last step of every job that makes tables
PUBLISHED_SNAPSHOT = "published_snapshot"

_BUILDS = {
    INGEST: LANDING,
    HISTORY: (*SPINE_TO_FEATURES, *JUDGEMENT),
    DAILY: (*SPINE_TO_FEATURES, *SPINE_TO_ORDERS, *JUDGEMENT),
    BACKTESTING: ("backtest",),
    SIMULATION: ("policy_simulation",),
}


def builds_of(job: str) -> tuple[str, ...]:
    """The tables that a job builds; none for a job that builds none."""
    return _BUILDS.get(job, ())


def job_of(table: str) -> str | None:
    """The job that builds the least of those that build a table, None for a table that is in no job."""
    return next((job for job, assets in _BUILDS.items() if table in assets), None)
