"""Features: what the close of a day knows about each product x location, from a bounded lookback of `daily_demand`.

What belongs here: everything a forecast origin knows about a series' own past. What does not: anything about a target
day (its calendar, its planned promotions, its horizon): that is `frame.py`.

Every feature is a sum over a window of days, divided last by the number of days that count: those since the first sale
whose demand is known. A new product is not a slow one, and a day nobody recorded, or on which the location was told to
be closed, is not a day without demand; of a product that is listed and has sold nothing yet no day counts, and it
counts in no mean over products. The sums are sums of integers (thousandths of a unit, counts): a range equals its
single days, bit for bit. Spark filters and distributes the products, NumPy sums their series on a grid (`grid.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812  (the name under which every Spark page knows it)

from nexgen_assets.forecasting.closings import was_told_closed
from nexgen_assets.forecasting.effects import (
    CATEGORY_PRIOR_UNITS,
    SHARE_SCALE,
    Promotions,
    effect_of,
    effect_sums,
    effects_on_products,
)
from nexgen_assets.forecasting.grid import (
    EPOCH,
    THOUSANDTHS,
    Grid,
    KnownDays,
    SameProductAndDay,
    Span,
    WindowSums,
    days_since,
    days_since_first_sale,
    grids,
    reals,
    text,
    whole,
)
from nexgen_assets.tables import (
    CLEANED_FEATURES,
    DAY,
    DEMAND_WINDOWS,
    IN_STOCK_WINDOWS,
    PRODUCT_WINDOWS,
    SPREAD_WINDOWS,
    STOCKOUT_WINDOWS,
    WEEKDAY_LAGS,
)

SHORTEST_LOOKBACK = 392
WEEKDAY_WEEKS = 8
CATEGORY_DAYS = 28
PRICE_DAYS = 91
PRICE_CHANGE_PERCENT = 2  # the average price of a day moves by less with what a coupon or two takes off
LAST_YEAR_WINDOW = (336, 363)  # ages in days of the 28 days that began 364 days before tomorrow
SERIES_PARTITIONS = 4  # the default of 200 starts 200 Python workers for a handful of series each
PRICE_SCALE = 10_000
# the square of a day's units saturates here (300,000 units a day), so that its sum over 91 days fits 64 bits
LARGEST_SQUARED = 300_000 * THOUSANDTHS

Whole = NDArray[np.int64]


def cleaned_features(
    demand: DataFrame, start: date, end: date, lookback_days: int, promotions: Sequence[Promotions] = ()
) -> DataFrame:
    """Rows of `tables.CLEANED_FEATURES` for the days start..end, one per row of `demand` on those days.

    `demand` holds rows of `tables.DAILY_DEMAND`; of them, day d uses d-(lookback_days-1)..d and nothing else. A missing
    row of a series is a day without a sale; a row without `demand_units` is a day of unknown demand. Of `promotions`,
    a day uses what was known on it; each gives a column (`effects.effect_of`). Raises ValueError for a lookback shorter
    than the longest feature.
    """
    if lookback_days < SHORTEST_LOOKBACK:
        raise ValueError(f"lookback_days is {lookback_days}; the features need at least {SHORTEST_LOOKBACK}")
    if end < start:
        raise ValueError(f"the range ends on {end}, before it starts on {start}")
    first = start - timedelta(days=lookback_days - 1)
    demand = demand.where(F.col(DAY).between(F.lit(first), F.lit(end)))
    span = Span(start, end, lookback_days)
    promotions = [promotion.within(span.first_day, span.days) for promotion in promotions]
    telling = _telling_rows(demand, start)
    rows = _with_means_of_others(telling, demand, start)
    if promotions:
        rows = _with_category_effects(rows, telling, span, promotions)
    return _whole_products(rows).mapInArrow(_partition_features(span, promotions), _ddl(promotions))


def _whole_products(rows: DataFrame) -> DataFrame:
    return rows.repartition(SERIES_PARTITIONS, "product_id")


def _ddl(promotions: Sequence[Promotions]) -> str:
    """The contract's columns, and those of the effects of a panel's own promotions."""
    further = [effect_of(p.name) for p in promotions if effect_of(p.name) not in CLEANED_FEATURES.names]
    return ", ".join([CLEANED_FEATURES.spark_ddl, *(f"`{name}` float" for name in further)])


def _telling_rows(demand: DataFrame, start: date) -> DataFrame:
    """The rows that become features, and of the days before them those on which anything happened."""
    sold_on_promotion = F.col("is_promotion") & (F.col("is_promotion_as_of") == F.col(DAY))
    is_unknown = F.col("demand_units").isNull() | was_told_closed()
    happened = is_unknown | _flag(F.col("demand_units") > 0) | _flag(sold_on_promotion) | _flag(F.col("is_stockout"))
    return demand.where((F.col(DAY) >= F.lit(start)) | happened).select(
        *("product_id", "location", DAY, "product_name", "category", "days_since_sale", "delisted_on"),
        _flag(F.col("is_unsold")).alias("is_unsold"),
        _units().alias("units"),
        is_unknown.alias("is_unknown"),
        _price_column().alias("price"),
        _flag(sold_on_promotion).alias("is_promotion"),
        _flag(F.col("is_stockout")).alias("is_stockout"),
    )


def _with_means_of_others(rows: DataFrame, demand: DataFrame, start: date) -> DataFrame:
    """Adds what the category and the location sell, and what the category costs: small, so that it joins quickly."""
    keyed = rows.withColumn("category_key", _category_key())
    recent = demand.where(F.col(DAY) >= F.lit(start - timedelta(days=CATEGORY_DAYS - 1)))
    others = _others(recent)
    # the small side first: the embedded engine keeps the left side of a join in memory
    return others.join(keyed, [DAY, "location", "category_key"], "right").drop("category_key")


def _others(recent: DataFrame) -> DataFrame:
    """Means by day, location and category.

    Products that are listed and unsold are no products to learn from; where only such are left, all locations tell.
    """
    daily = recent.groupBy(DAY, "location", _category_key().alias("category_key")).agg(
        F.coalesce(F.sum(_units()), F.lit(0)).alias("units"),
        F.count(F.when(~_flag(F.col("is_unsold")), F.lit(1))).alias("products"),
        F.avg(_price_column()).alias("category_price"),
    )
    by_location, by_category = (_summed(daily, key) for key in ("location", "category_key"))
    here = _mean_of_days(daily, "category_mean", "location", "category_key", keep=["category_price"])
    everywhere = _mean_of_days(by_category, "mean_everywhere", "category_key")
    location = _mean_of_days(by_location, "location_mean", "location")
    means = location.join(everywhere.join(here, [DAY, "category_key"]), [DAY, "location"])
    mean = F.coalesce("category_mean", "mean_everywhere", F.lit(0.0))
    return means.select(
        *(DAY, "location", "category_key", "category_price", "location_mean"), mean.alias("category_mean")
    )


def _summed(daily: DataFrame, key: str) -> DataFrame:
    return daily.groupBy(DAY, key).agg(*(F.sum(name).alias(name) for name in ("units", "products")))


def _mean_of_days(daily: DataFrame, name: str, *key: str, keep: Sequence[str] = ()) -> DataFrame:
    """Mean units a day and product of the last CATEGORY_DAYS; empty on a day without products."""
    by_day = Window.partitionBy(*key).orderBy("day_number").rangeBetween(-(CATEGORY_DAYS - 1), 0)
    days = F.col("products") * CATEGORY_DAYS * THOUSANDTHS
    mean = F.sum("units").over(by_day) / F.nullif(days, F.lit(0))
    return daily.withColumn("day_number", F.datediff(DAY, F.lit(EPOCH))).select(DAY, *key, *keep, mean.alias(name))


def _category_key() -> Column:
    # products without a category are a category of their own, also in a join
    return F.coalesce("category", F.lit(""))


def _units() -> Column:
    return (F.col("demand_units") * THOUSANDTHS).cast("bigint")


def _price_column() -> Column:
    return (F.col("unit_price") * PRICE_SCALE).cast("bigint")


def _flag(condition: Column) -> Column:
    return F.coalesce(condition, F.lit(False))


def _partition_features(
    span: Span, promotions: Sequence[Promotions]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def features(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for grid, wanted in grids(batches, span):
            yield from _feature_table(grid, wanted, span.lookback_days, promotions).to_batches()

    return features


def _with_category_effects(
    rows: DataFrame, telling: DataFrame, span: Span, promotions: Sequence[Promotions]
) -> DataFrame:
    """Adds the effect of each promotion on the category of the row, shrunk to that on all products, by day."""
    names = [f"{term}_{i}" for i in range(len(promotions)) for term in ("excess", "exposure")]
    ddl = ", ".join(["`day` date", "`category_key` string", *(f"`{name}` bigint" for name in names)])
    parts = _whole_products(telling).mapInArrow(_category_terms(span, promotions), ddl)
    by_category = parts.groupBy(DAY, "category_key").agg(*(F.sum(name).alias(name) for name in names))
    effects = by_category.select(
        *(DAY, "category_key"), *(_category_effect(i).alias(f"category_effect_{i}") for i in range(len(promotions)))
    )
    # the small side first, as above
    keyed = rows.withColumn("category_key", _category_key())
    return effects.join(keyed, [DAY, "category_key"], "right").drop("category_key")


def _category_effect(number: int) -> Column:
    excess = F.col(f"excess_{number}") / F.lit(SHARE_SCALE * THOUSANDTHS)
    exposure = F.col(f"exposure_{number}") / F.lit(SHARE_SCALE**2 * THOUSANDTHS)
    # sums of the whole numbers: exact in any order
    excess_of_all, exposure_of_all = (
        F.sum(f"{name}_{number}").over(Window.partitionBy(DAY)) for name in ("excess", "exposure")
    )
    of_all = F.coalesce(excess_of_all / F.nullif(exposure_of_all, F.lit(0)) * SHARE_SCALE, F.lit(0.0))
    prior = F.lit(CATEGORY_PRIOR_UNITS)
    return (excess + prior * of_all) / (exposure + prior)


def _category_terms(
    span: Span, promotions: Sequence[Promotions]
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """Sums of `effects.effect_terms` by day and category, of a partition."""

    def terms(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for grid, wanted in grids(batches, span):
            rows = grid.rows.take(wanted)
            columns: dict[str, Any] = {DAY: rows.column(DAY), "category_key": text(rows, "category")}
            for i, sums in enumerate(effect_sums(grid, wanted, span.lookback_days, promotions)):
                columns |= {f"excess_{i}": sums.excess, f"exposure_{i}": sums.exposure}
            told = pa.table(columns)
            summed = told.group_by([DAY, "category_key"]).aggregate([(name, "sum") for name in told.schema.names[2:]])
            yield from summed.rename_columns(told.schema.names).to_batches()

    return terms


def _feature_table(grid: Grid, wanted: Whole, lookback_days: int, promotions: Sequence[Promotions]) -> pa.Table:
    rows, units = grid.rows.take(wanted), whole(grid.rows, "units")
    demand = grid.window_sums(units, wanted)
    age = days_since_first_sale(grid, units, wanted, lookback_days)
    is_new_item = (age < 0) & (whole(rows, "is_unsold") > 0)
    # never sold: every day was a zero, but for what is only listed
    counted = np.where((age >= 0) | is_new_item, age, lookback_days)
    is_unknown, is_stockout = whole(grid.rows, "is_unknown"), whole(grid.rows, "is_stockout")
    known = KnownDays(grid, is_unknown, wanted, counted)
    copied = (DAY, "product_id", "location", "product_name", "category", "delisted_on")
    features: dict[str, pa.ChunkedArray | pa.Array | NDArray[np.float64]] = {name: rows.column(name) for name in copied}
    features["is_new_item"] = pa.array(is_new_item)
    features |= {f"demand_lag_{k}": _lag(demand, known, k) for k in WEEKDAY_LAGS}
    features |= {f"demand_mean_{w}": _mean(demand.last(w), known.last(w)) for w in DEMAND_WINDOWS}
    features |= _in_stock(grid, units, is_unknown | is_stockout, wanted, counted)
    features |= _spread(grid, demand, known, units, wanted)
    features |= _product_means(grid, demand, known, wanted)
    features |= {f"weekday_mean_{k}": _weekday_mean(demand, known, k) for k in WEEKDAY_LAGS}
    features |= _last_year(demand, known, age)
    features["age_days"] = np.maximum(age, 0).astype(np.float64)
    days_since_sale = np.minimum(whole(rows, "days_since_sale"), lookback_days).astype(np.float64)
    features["days_since_sale"] = days_since_sale
    features |= _price(grid, units, wanted, lookback_days)
    sold_on_promotion = whole(grid.rows, "is_promotion")
    features["promotion_share_28"] = grid.window_sums(sold_on_promotion, wanted).last(28) / 28
    since_promotion = days_since(grid, sold_on_promotion > 0, wanted, lookback_days)
    features["days_since_promotion"] = since_promotion.astype(np.float64)
    stockouts = grid.window_sums(is_stockout, wanted)
    features |= {f"stockout_share_{w}": stockouts.last(w) / w for w in STOCKOUT_WINDOWS}
    features["category_mean_28"] = rows.column("category_mean")
    features["location_mean_28"] = rows.column("location_mean")
    features |= effects_on_products(grid, wanted, lookback_days, promotions)
    return _as_table(features)


def _mean(sums: Whole, days: Whole, scale: int = THOUSANDTHS) -> NDArray[np.float64]:
    """Sum by days that count, not a number where none does."""
    return np.where(days > 0, sums / np.maximum(days * scale, 1), np.nan)


def _lag(demand: WindowSums, known: KnownDays, days: int) -> NDArray[np.float64]:
    return np.where(known.unknown.between(days, days) > 0, np.nan, demand.between(days, days) / THOUSANDTHS)


def _in_stock(
    grid: Grid, units: Whole, is_censored: Whole, wanted: Whole, age: Whole
) -> dict[str, NDArray[np.float64]]:
    """Means over the days whose sales were the demand: what a day without stock sold says little of it."""
    days = KnownDays(grid, is_censored, wanted, age)
    demand = grid.window_sums(units * (1 - is_censored), wanted)
    return {f"in_stock_mean_{w}": _mean(demand.last(w), days.last(w)) for w in IN_STOCK_WINDOWS}


def _spread(
    grid: Grid, demand: WindowSums, known: KnownDays, units: Whole, wanted: Whole
) -> dict[str, NDArray[np.float64]]:
    """Population standard deviation, and the share of days without a sale."""
    squares = grid.window_sums(np.minimum(units, LARGEST_SQUARED) ** 2, wanted)
    sales = grid.window_sums((units > 0).astype(np.int64), wanted)
    columns: dict[str, NDArray[np.float64]] = {}
    for w in SPREAD_WINDOWS:
        days = known.last(w)
        variance = _mean(squares.last(w), days, 1) - _mean(demand.last(w), days, 1) ** 2
        columns[f"demand_sd_{w}"] = np.sqrt(np.maximum(variance, 0)) / THOUSANDTHS
        columns[f"zero_share_{w}"] = 1 - _mean(sales.last(w), days, 1)
    return columns


def _product_means(grid: Grid, demand: WindowSums, known: KnownDays, wanted: Whole) -> dict[str, NDArray[np.float64]]:
    """What a location knows of a product from the others: means over all locations with a row on the day."""
    pooled = SameProductAndDay(grid, wanted)
    return {f"product_mean_{w}": _mean(pooled.sum(demand.last(w)), pooled.sum(known.last(w))) for w in PRODUCT_WINDOWS}


def _weekday_mean(demand: WindowSums, known: KnownDays, lag: int) -> NDArray[np.float64]:
    ages = [lag + 7 * week for week in range(WEEKDAY_WEEKS)]
    sums, days = (np.sum([window.between(age, age) for age in ages], axis=0) for window in (demand, known))
    return _mean(sums, days)


def _last_year(demand: WindowSums, known: KnownDays, age: Whole) -> dict[str, NDArray[np.float64]]:
    """Last year's demand over the days ahead, for series that old."""
    last_year = _mean(demand.between(*LAST_YEAR_WINDOW), known.between(*LAST_YEAR_WINDOW))
    return {"demand_mean_next_28_last_year": np.where(age >= LAST_YEAR_WINDOW[1], last_year, np.nan)}


def _price(grid: Grid, units: Whole, wanted: Whole, lookback_days: int) -> dict[str, NDArray[np.float64]]:
    """The latest price, against the mean price of the days sold and of its category, and how long it has held."""
    price = whole(grid.rows, "price")
    is_sold_at = grid.rows.column("price").is_valid().to_numpy() & (units > 0)
    sold_at = grid.window_sums(np.where(is_sold_at, price, 0), wanted).last(PRICE_DAYS)
    days_sold = grid.window_sums(is_sold_at.astype(np.int64), wanted).last(PRICE_DAYS)
    latest, of_category = (reals(grid.rows.column(name).take(wanted)) for name in ("price", "category_price"))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(sold_at > 0, latest * days_sold / sold_at, np.nan)
        ratio_of_category = np.where(of_category > 0, latest / of_category, np.nan)
    return {
        "unit_price": latest / PRICE_SCALE,
        "price_ratio_91": ratio,
        "category_price_ratio": ratio_of_category,
        "days_since_price_change": _days_since_price_change(grid, price, is_sold_at, wanted, lookback_days),
    }


def _days_since_price_change(
    grid: Grid, price: Whole, is_sold_at: NDArray[np.bool_], wanted: Whole, lookback_days: int
) -> NDArray[np.float64]:
    """Days since the price of a day sold last differed from that of the day sold before, both in the lookback."""
    sold = np.flatnonzero(is_sold_at)
    sold = sold[np.lexsort((grid.day[sold], grid.series[sold]))]
    before, after = sold[:-1], sold[1:]
    moved = np.abs(price[after] - price[before]) * 100 > price[before] * PRICE_CHANGE_PERCENT
    changed = moved & (grid.series[after] == grid.series[before])
    is_changed, held_until = np.zeros(len(price), bool), np.full(grid.shape, -1)
    is_changed[after[changed]] = True
    held_until[grid.series[after[changed]], grid.day[after[changed]]] = grid.day[before[changed]]
    days = days_since(grid, is_changed, wanted, lookback_days)
    day = grid.day[wanted]
    price_before = held_until[grid.series[wanted], np.maximum(day - days, 0)]
    is_known = (days < lookback_days) & (price_before > day - lookback_days)
    return np.where(is_known, days, lookback_days).astype(np.float64)


def _as_table(features: dict[str, pa.ChunkedArray | pa.Array | NDArray[np.float64]]) -> pa.Table:
    further = [pa.field(name, pa.float32()) for name in features if name not in CLEANED_FEATURES.names]
    schema = pa.schema([*CLEANED_FEATURES.arrow_schema, *further])
    rows = len(features[DAY])
    arrays = []
    for field in schema:
        values = features.get(field.name, pa.nulls(rows, field.type))  # no promotion, no effect
        if isinstance(values, np.ndarray):
            # not a number stands for "unknown"; the table says so with an empty value
            values = pa.array(values.astype(np.float32), from_pandas=True)
        arrays.append(values.cast(field.type))
    return pa.Table.from_arrays(arrays, names=schema.names)
