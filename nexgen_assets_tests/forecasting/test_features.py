"""Features say what the close of a day knows, and nothing more."""

from datetime import date, timedelta
from decimal import Decimal

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from nexgen_assets.forecasting.features import cleaned_features
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.tables import CALENDAR, CLEANED_FEATURES, DAILY_DEMAND
from nexgen_assets_tests.forecasting.frames import line
from nexgen_assets_tests.forecasting.panels import demand_panel

LOOKBACK = 400
FIRST = date(2023, 1, 1)
START, END = date(2024, 8, 1), date(2024, 8, 20)
GRAIN = [(name, "ascending") for name in CLEANED_FEATURES.grain]


LISTED_ON = END - timedelta(days=12)
# product, location, category: new everywhere, new here, of a category without sales here, and of one without any
NEW_ITEMS = (
    ("900", "north", "Category 0"),
    ("000", "east", "Category 0"),
    ("901", "east", "Category 1"),
    ("902", "east", "Unheard of"),
)


def listed(panel: pa.Table) -> pa.Table:
    """Rows that only a listing makes: of NEW_ITEMS, and of a product since its only sale, a year ago."""
    sold_on = END - timedelta(days=365)
    wanted = [(LISTED_ON + timedelta(days=n), *item) for item in NEW_ITEMS for n in range(40)]
    wanted += [(sold_on + timedelta(days=n), "903", "north", "Category 0") for n in range(380)]
    rows = [
        dict.fromkeys(DAILY_DEMAND.names)
        | {"day": day, "product_id": product, "location": location, "category": category}
        | {"demand_units": Decimal(2 * (day == sold_on)), "returned_units": Decimal(0), "revenue": Decimal(0)}
        | {"sales_lines": int(day == sold_on), "is_open": True, "is_open_inferred": True, "is_stockout_assumed": False}
        | {"days_since_sale": min((day - sold_on).days, 90), "is_unsold": (day - sold_on).days >= 90}
        | {"delisted_on": END + timedelta(days=3) if product == "901" else None}
        for day, product, location, category in wanted
    ]
    return pa.Table.from_pylist(rows, schema=panel.schema)


@pytest.fixture(scope="module")
def demand() -> pa.Table:
    panel = demand_panel(FIRST, (END - FIRST).days + 40, series=9)
    panel = pa.concat_tables([panel, listed(panel)])
    rng = np.random.default_rng(3)
    sold = [None if lost else units for units, lost in zip(panel["demand_units"].to_pylist(),
            rng.random(panel.num_rows) < 0.05, strict=True)]  # fmt: skip
    place = panel.schema.get_field_index("demand_units")
    field = panel.schema.field(place)
    return panel.set_column(place, field.with_nullable(True), pa.array(sold, field.type))


@pytest.fixture(scope="module")
def features(spark: SparkSession, demand: pa.Table) -> pa.Table:
    return _features(spark, demand, START, END)


def _calendar() -> pa.Table:
    """Promotions of a product, a location, of all at once and of one at one; overlapping, and told too late."""
    rng = np.random.default_rng(11)
    keys = [("000", ""), ("001", "north"), ("", "south"), ("", ""), ("003", "south"), ("000", "north")]
    lines = []
    for number in range(80):
        product, location = keys[number % len(keys)]
        start = FIRST + timedelta(days=int(rng.integers(100, (END - FIRST).days)))
        end = start + timedelta(days=int(rng.integers(0, 9)))
        known = start + timedelta(days=int(rng.integers(-20, 5)))
        share = round(float(rng.choice([0.25, 0.5, 1])), 2)
        lines.append(line(start, end, known=known, product=product, location=location, promotion_share=share))
    return pa.Table.from_pylist(lines, schema=CALENDAR.arrow_schema)


PROMOTIONS = Plans(_calendar()).promotions()


def _features(spark: SparkSession, demand: pa.Table, start: date, end: date) -> pa.Table:
    frame = spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl)
    return cleaned_features(frame, start, end, LOOKBACK, PROMOTIONS).toArrow().sort_by(GRAIN)


def _oracle(demand: pa.Table) -> pa.Table:
    """The contract's texts in SQL: each row joined with its own past."""
    windows = ", ".join(f"avg(u) filter (age < {w}) as demand_mean_{w}" for w in (7, 14, 28, 56, 91, 182, 364))
    in_stock = ", ".join(
        f"avg(u) filter (age < {w} and is_stockout is not true) as in_stock_mean_{w}" for w in (7, 28, 91)
    )
    products = ", ".join(f"avg(u) filter (age < {w}) as product_mean_{w}" for w in (7, 28, 91))
    product_names = ", ".join(f"product_mean_{w}" for w in (7, 28, 91))
    lags = ", ".join(
        f"""case when not bool_or(coalesce(is_unknown, false)) filter (age = {k})
            then coalesce(sum(u) filter (age = {k}), 0) end as demand_lag_{k}"""
        for k in range(7)
    )
    weekdays = ", ".join(f"avg(u) filter (age < 56 and age % 7 = {k}) as weekday_mean_{k}" for k in range(7))
    spreads = ", ".join(
        f"""stddev_pop(u) filter (age < {w}) as demand_sd_{w},
            avg((u = 0)::int) filter (age < {w}) as zero_share_{w}"""
        for w in (28, 91)
    )
    connection = duckdb.connect()
    connection.register("demand", demand)
    connection.sql("""
        create macro mean_of(today, kind, place) as (
            select sum(c.demand_units::double) filter (c.day <= today)
                / nullif(28 * count(*) filter (c.day = today and c.is_unsold is not true), 0)
            from demand c where c.location like place and (c.category is not distinct from kind or kind = '%')
                and c.day between today - 27 and today);
        create macro price_of(today, kind, place) as (
            select avg(c.unit_price::double) from demand c
            where c.location = place and c.category is not distinct from kind and c.day = today)
    """)
    return connection.sql(f"""
        with d as (select *, demand_units::double as u from demand),
        grid as (
            select r.day, r.product_id, r.location, age, coalesce(r.is_unsold, false) as is_unsold,
                (select min(f.day) from d f where f.product_id = r.product_id and f.location = r.location
                    and f.u > 0 and f.day between r.day - {LOOKBACK - 1} and r.day) as first_sale
            from d r, range({LOOKBACK}) ages(age) where r.day between '{START}' and '{END}'),
        pairs as (
            select g.day, g.product_id, g.location, g.age::int as age, p.unit_price::double as price, p.is_stockout,
                p.is_promotion and p.is_promotion_as_of = p.day as is_promotion,
                p.day is not null and p.u is null as is_unknown,
                g.is_unsold and first_sale is null as is_new_item,
                case when (first_sale is null and not g.is_unsold) or g.day - g.age::int >= first_sale
                    then case when p.day is null then 0 else p.u end end as u
            from grid g left join d p
                on p.product_id = g.product_id and p.location = g.location and p.day = g.day - g.age::int),
        sums as (
            select day, product_id, location, {lags}, {windows}, {in_stock}, {spreads}, {weekdays},
                avg(p.u) filter (p.age between 336 and 363) as last_year,
                coalesce(max(p.age) filter (p.u > 0), 0) as age_days, bool_or(is_new_item) as is_new_item,
                avg(p.price) filter (p.age < 91 and p.u > 0) as usual_price,
                count(*) filter (p.age < 28 and p.is_promotion) / 28 as promotion_share_28,
                coalesce(min(p.age) filter (p.is_promotion), {LOOKBACK}) as days_since_promotion,
                count(*) filter (p.age < 7 and p.is_stockout) / 7 as stockout_share_7,
                count(*) filter (p.age < 28 and p.is_stockout) / 28 as stockout_share_28
            from pairs p group by all),
        moves as (
            select day, product_id, location, age, lag(price) over sold as old, abs(price - old) > 0.02 * old as moved
            from pairs where u > 0 and price is not null
            window sold as (partition by day, product_id, location order by age desc)),
        price_changes as (
            select day, product_id, location, min(age) as days_since_price_change from moves where moved group by all),
        product as (
            select day, product_id, {products} from pairs group by all),
        category as (
            select r.day, r.product_id, r.location,
                coalesce(mean_of(r.day, r.category, r.location), mean_of(r.day, r.category, '%'), 0)
                    as category_mean_28,
                mean_of(r.day, '%', r.location) as location_mean_28, price_of(r.day, r.category, r.location) as usual
            from d r where r.day between '{START}' and '{END}')
        select s.*, case when age_days >= 363 then last_year end as demand_mean_next_28_last_year,
            coalesce(days_since_price_change, {LOOKBACK}) as days_since_price_change,
            d.product_name, d.category, d.delisted_on, d.days_since_sale, d.unit_price,
            d.unit_price / usual_price as price_ratio_91, d.unit_price / usual as category_price_ratio,
            category_mean_28, location_mean_28, {product_names}
        from sums s join product using (day, product_id) join d using (day, product_id, location)
            join category using (day, product_id, location)
            left join price_changes using (day, product_id, location)
    """).to_arrow_table()


def _effects(demand: pa.Table) -> pa.Table:
    """What promotions do, in SQL: each day's share, the level of the days without, and the sums of what they tell."""
    connection = duckdb.connect()
    connection.register("demand", demand)
    connection.register("calendar", _calendar())
    return connection.sql(f"""
        with series as (select distinct product_id, location from demand),
        days as (
            select s.product_id, s.location,
                unnest(range(date '{FIRST}', date '{END}' + 1, interval 1 day))::date as day
            from series s),
        on_day as (
            select x.*, coalesce(d.demand_units::double, 0) as u,
                d.day is not null and (d.demand_units is null or d.is_stockout is true) as is_censored,
                coalesce((select max(c.promotion_share) from calendar c
                    where c.product_id in ('', x.product_id) and c.location in ('', x.location)
                        and x.day between c.start_date and c.end_date and c.effective_date <= x.day), 0) as share
            from days x left join demand d using (product_id, location, day)),
        levels as (
            select *, count(*) filter (share = 0 and not is_censored) over past as free,
                floor(1000 * coalesce(sum(u) filter (share = 0 and not is_censored) over past, 0) / greatest(free, 1))
                    / 1000 as level
            from on_day
            window past as (partition by product_id, location order by day rows between 90 preceding and current row)),
        origins as (
            select r.day, r.product_id, r.location, r.category, (
                select min(f.day) from demand f where f.product_id = r.product_id and f.location = r.location
                    and f.demand_units > 0 and f.day between r.day - {LOOKBACK - 1} and r.day) as first_sale
            from demand r where r.day between '{START}' and '{END}'),
        sums as (
            select o.day, o.product_id, o.location, o.category,
                coalesce(sum(l.share * (l.u - l.level)), 0) as excess,
                coalesce(sum(l.share ** 2 * l.level), 0) as exposure
            from origins o left join levels l on l.product_id = o.product_id and l.location = o.location
                and l.day between greatest(o.day - 300, o.first_sale + 90) and o.day
                and l.share > 0 and not l.is_censored and l.free >= 7
            group by all),
        of_all as (select day, coalesce(sum(excess) / nullif(sum(exposure), 0), 0) as effect from sums group by day),
        of_category as (
            select s.day, s.category, (sum(excess) + 20 * any_value(a.effect)) / (sum(exposure) + 20) as effect
            from sums s join of_all a using (day) group by all),
        of_product as (
            select day, product_id, sum(excess) as excess, sum(exposure) as exposure from sums group by all)
        select o.day, o.product_id, o.location,
            (p.excess + c.effect) / (p.exposure + 1) as planned_promotion_effect, p.exposure
        from origins o join of_product p using (day, product_id)
            join of_category c on c.day = o.day and c.category is not distinct from o.category
    """).to_arrow_table()


def test_what_promotions_do_equals_the_same_statement_in_sql(features: pa.Table, demand: pa.Table) -> None:
    expected = _effects(demand).sort_by(GRAIN)
    got, want = (_numbers(rows.column("planned_promotion_effect")) for rows in (features, expected))
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)
    exposure = _numbers(expected.column("exposure"))
    assert (exposure > 10).any()
    assert (exposure == 0).any()


def test_every_feature_equals_the_same_statement_in_sql(features: pa.Table, demand: pa.Table) -> None:
    expected = _oracle(demand).sort_by(GRAIN)
    for column in CLEANED_FEATURES.columns:
        if column.name == "planned_promotion_effect":
            continue  # a statement of its own, above
        got, want = features.column(column.name), expected.column(column.name)
        if column.type == pa.float32():
            np.testing.assert_allclose(_numbers(got), _numbers(want), rtol=1e-6, atol=1e-6, err_msg=column.name)
        else:
            assert got.to_pylist() == want.to_pylist(), column.name


def of_new_items(features: pa.Table) -> list[dict]:
    return [row for row in features.to_pylist() if row["is_new_item"]]


def test_no_day_of_a_new_item_counts_and_what_it_sells_elsewhere_does(features: pa.Table) -> None:
    rows = of_new_items(features)
    assert {row["demand_mean_28"] for row in rows} == {row["zero_share_28"] for row in rows} == {None}
    assert {row["product_id"] for row in rows if row["product_mean_28"] is not None} == {"000"}


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return column.cast(pa.float64()).to_numpy()


def test_the_panel_has_the_cases_that_matter(features: pa.Table, demand: pa.Table) -> None:
    assert demand.column("is_stockout").to_pylist().count(True) > 0
    assert 0 < features.column("demand_mean_next_28_last_year").null_count < features.num_rows
    assert 0 < features.column("price_ratio_91").null_count < features.num_rows
    assert 0 < features.column("category_price_ratio").null_count < features.num_rows
    for name in ("days_since_price_change", "days_since_promotion"):
        assert {0, LOOKBACK} < set(features.column(name).to_pylist())
    assert features.column("category").null_count > 0
    assert demand.column("demand_units").null_count > 0
    assert {row["product_id"]: row["category_mean_28"] > 0 for row in of_new_items(features)} == {
        "900": True,
        "000": True,
        "901": True,
        "902": False,
    }
    assert 0 < features.column("delisted_on").null_count < features.num_rows
    assert 0 < features.column("demand_lag_3").null_count < features.num_rows
    steps = duckdb.sql("select max(day - before) from (select day, lag(day) over (partition by product_id order by day)"
                       " as before from demand)").fetchall()  # fmt: skip
    assert steps[0][0] > 1


def test_the_mean_of_a_product_takes_in_all_its_locations_however_many_there_are(spark: SparkSession) -> None:
    """450 series of 9 products: far more than are worked on at once, and in no whole number of slices."""
    rng = np.random.default_rng(4)
    locations = np.array([1, 10, 39, 100, 150, 20, 70, 50, 10])
    keys = [(f"P{product}", f"L{location}") for product, many in enumerate(locations) for location in range(many)]
    days = [END - timedelta(days=age) for age in range(3)]
    units = rng.integers(1, 9, (len(keys), len(days)))
    rows = [
        dict.fromkeys(DAILY_DEMAND.names)
        | {"day": day, "product_id": product, "location": location, "demand_units": Decimal(int(units[i, j]))}
        | {"days_since_sale": 0}
        for i, (product, location) in enumerate(keys)
        for j, day in enumerate(days)
    ]
    schema = pa.schema([field.with_nullable(True) for field in DAILY_DEMAND.arrow_schema])
    features = _features(spark, pa.Table.from_pylist(rows, schema=schema), END, END)
    ends = np.cumsum(locations)
    expected = {
        f"P{p}": units[end - many : end].mean() for p, (many, end) in enumerate(zip(locations, ends, strict=True))
    }
    assert features.num_rows == len(keys)
    for product, mean in zip(features["product_id"].to_pylist(), features["product_mean_7"].to_pylist(), strict=True):
        assert mean == pytest.approx(expected[product], rel=1e-6)


def test_the_table_is_the_contract_s(features: pa.Table) -> None:
    assert features.schema.names == CLEANED_FEATURES.names
    assert features.schema.types == CLEANED_FEATURES.arrow_schema.types


def test_there_is_one_row_per_demand_row_of_the_range(features: pa.Table, demand: pa.Table) -> None:
    inside = pc.and_(pc.greater_equal(demand["day"], pa.scalar(START)), pc.less_equal(demand["day"], pa.scalar(END)))
    expected = demand.filter(inside).sort_by(GRAIN)
    assert features.select(CLEANED_FEATURES.grain).equals(
        expected.select(CLEANED_FEATURES.grain).cast(features.select(CLEANED_FEATURES.grain).schema)
    )


def test_a_range_equals_its_single_days(spark: SparkSession, features: pa.Table, demand: pa.Table) -> None:
    for day in (START, START + timedelta(days=9), END):
        single = _features(spark, demand, day, day)
        assert single.equals(features.filter(pc.equal(features["day"], pa.scalar(day))))


def test_later_data_changes_nothing(spark: SparkSession, demand: pa.Table) -> None:
    day = START + timedelta(days=5)
    past = demand.filter(pc.less_equal(demand["day"], pa.scalar(day)))
    assert _features(spark, demand, day, day).equals(_features(spark, past, day, day))


def test_data_before_the_lookback_changes_nothing(spark: SparkSession, demand: pa.Table) -> None:
    bounded = demand.filter(pc.greater_equal(demand["day"], pa.scalar(START - timedelta(days=LOOKBACK - 1))))
    assert _features(spark, demand, START, START).equals(_features(spark, bounded, START, START))


def test_a_day_without_rows_has_no_features(spark: SparkSession, demand: pa.Table) -> None:
    past = demand.filter(pc.less(demand["day"], pa.scalar(START)))
    assert _features(spark, past, START, END).num_rows == 0


def test_a_lookback_shorter_than_a_feature_is_refused(spark: SparkSession, demand: pa.Table) -> None:
    frame = spark.createDataFrame(demand, DAILY_DEMAND.spark_ddl)
    with pytest.raises(ValueError, match="at least 392"):
        cleaned_features(frame, START, END, 391)
