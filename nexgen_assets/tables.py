"""The data contract: every table's grain, columns, units, meaning and constraints, stated once.

What belongs here: declarations only. Arrow and Spark schemas, audits, catalog texts and documentation derive from them.
What does not: reading, writing or computing any of it. This module imports neither Dagster nor an engine, so that
domain code may use it.

Every daily table is partitioned by `day`: the day whose close the row knows. For forecasts and orders it is the origin.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import pyarrow as pa

DAY = "day"

TEXT = pa.string()
WHOLE = pa.int64()
REAL = pa.float64()
REAL32 = pa.float32()
FLAG = pa.bool_()
DATE = pa.date32()
INSTANT = pa.timestamp("us", tz="UTC")
UNITS = pa.decimal128(18, 3)
MONEY = pa.decimal128(18, 4)

HORIZON_DAYS = 28
QUANTILES: dict[str, float] = {
    "q05": 0.05,
    "q10": 0.1,
    "q25": 0.25,
    "q50": 0.5,
    "q60": 0.6,
    "q70": 0.7,
    "q80": 0.8,
    "q90": 0.9,
    "q95": 0.95,
    "q975": 0.975,
    "q99": 0.99,
}


@dataclass(frozen=True)
class Column:
    """One column: its Arrow type, what it means, its unit, and what must hold of each value."""

    name: str
    type: pa.DataType
    description: str
    unit: str | None = None
    nullable: bool = True
    minimum: float | None = None


@dataclass(frozen=True)
class Conservation:
    """Each day's rows and those of the table `other` are together the rows of the table `whole`."""

    whole: str
    other: str


@dataclass(frozen=True)
class Ledger:
    """In each row `total` is the sum of other columns, each by its sign (1 or -1): exactly, in whole thousandths."""

    total: str
    signs: Mapping[str, int]


@dataclass(frozen=True)
class Table:
    """One table: its grain (the columns that identify a row) and its columns, `day` first where it is daily.

    `conservation` and `same_series_as` (a day holds exactly that table's products x locations, and
    others only where the column `more_series` has a value) tie it to others;
    `ledgers` and `multiples` (a column holds whole multiples of another) tie the columns of a row.
    `made_from` are the tables it is computed from: a column comes from theirs of the same name, `lineage` says where
    others come from, as `table.column`. A column without either is made here.
    `figures` are what the catalog plots per day: name -> SQL over the day's rows, cheap enough for every write.
    """

    name: str
    description: str
    grain: tuple[str, ...]
    columns: tuple[Column, ...]
    is_daily: bool = True
    conservation: Conservation | None = None
    same_series_as: str | None = None
    more_series: str | None = None
    ledgers: tuple[Ledger, ...] = ()
    multiples: Mapping[str, str] = field(default_factory=dict)
    made_from: tuple[str, ...] = ()
    lineage: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name = {column.name: column for column in self.columns}
        if len(by_name) != len(self.columns):
            raise ValueError(f"table {self.name} declares a column twice")
        if missing := [name for name in self.grain if name not in by_name]:
            raise ValueError(f"table {self.name}: grain columns {missing} are not declared")
        if self.is_daily and self.columns[0].name != DAY:
            raise ValueError(f"daily table {self.name} must begin with the column {DAY!r}")
        object.__setattr__(self, "by_name", by_name)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def sources_of(self, name: str, tables: Mapping[str, "Table"]) -> list[tuple[str, str]]:
        """The (table, column) pairs that the column `name` is computed from; `tables` holds those of `made_from`."""
        if name in self.lineage:
            return [(source, column) for source, column in (told.split(".") for told in self.lineage[name])]
        return [(source, name) for source in self.made_from if name in tables[source].by_name]

    @property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable) for c in self.columns])

    @property
    def spark_ddl(self) -> str:
        """The schema in Spark's DDL, for `createDataFrame` and `mapInArrow`."""
        return ", ".join(f"`{c.name}` {spark_type(c.type)}" for c in self.columns)


def spark_type(arrow: pa.DataType) -> str:
    """Spark's name of an Arrow type of this contract; raises KeyError for a type that no table uses."""
    if pa.types.is_decimal(arrow):
        return f"decimal({arrow.precision},{arrow.scale})"
    return {
        TEXT: "string",
        WHOLE: "bigint",
        REAL: "double",
        REAL32: "float",
        FLAG: "boolean",
        DATE: "date",
        INSTANT: "timestamp",
    }[arrow]


def _day(meaning: str) -> Column:
    return Column(DAY, DATE, meaning, nullable=False)


PRODUCT = Column("product_id", TEXT, "Product, as written in the sales file: a leading zero counts", nullable=False)
LOCATION = Column("location", TEXT, "Store or warehouse where the product is sold", nullable=False)

# The sales file's own columns, in its own words. Anything else in a file is ignored and reported once.
SALES_FILE_REQUIRED = ("product_id", "location", "date_of_purchase", "quantity")
SALES_FILE_COLUMNS = (
    "customer_id",
    "unit_price",
    "is_promotion",
    "holiday_name",
    "weather_condition",
    "customer_segment",
    "product_id",
    "customer_income",
    "competitor_price",
    "marketing_spend",
    "product_name",
    "lead_time",
    "stock_level",
    "supplier_delay",
    "shelf_life",
    "category",
    "date_of_purchase",
    "amount",
    "quantity",
    "location",
)
SALES_FILE_NUMBERS = (
    "quantity",
    "amount",
    "unit_price",
    "competitor_price",
    "marketing_spend",
    "stock_level",
    "lead_time",
    "supplier_delay",
    "shelf_life",
)
SALES_FILE_IGNORED = ("year", "month")
# in our tables a unit that could be mistaken is in the name
SALES_FILE_RENAMED = {
    "lead_time": "lead_time_days",
    "supplier_delay": "supplier_delay_days",
    "shelf_life": "shelf_life_days",
}
IMPLAUSIBLE_AMOUNT_FACTOR = 10  # cents for euros, a decimal point lost

_SOURCE_LINE = (
    Column("file_key", TEXT, "Landing file the line came from (its key in the bucket)", nullable=False),
    Column("file_version", TEXT, "Version of that file: the hash of its content", nullable=False),
    Column(
        "line_number",
        WHOLE,
        "Line in that file where the record begins; the header is line 1",
        nullable=False,
        minimum=1,
    ),
)

RAW_SALES = Table(
    "raw_sales",
    "One row per line of a landing file, as received.",
    ("day", "file_key", "file_version", "line_number"),
    (
        _day("Day the line belongs to: its sales date, or its file's day where that is unusable"),
        *_SOURCE_LINE,
        Column("arrived_at", INSTANT, "When this version of the file was first seen", nullable=False),
        Column("sales_date", DATE, "The line's date, empty if unreadable, in the future or before the calendar"),
        *(Column(name, TEXT, f"`{name}` as written in the file") for name in SALES_FILE_COLUMNS),
        Column("line_id", TEXT, "`line_id` as written in the file: the line's identity, if the exporter has one"),
        Column(
            "parse_error", TEXT, "Why the line could not be split into columns (ragged, not UTF-8), otherwise empty"
        ),
        Column("raw_text", TEXT, "The line itself; bytes that are not UTF-8 are written as \\xNN", nullable=False),
    ),
)

CLEANED_SALES = Table(
    "cleaned_sales",
    "One row per valid sales line, typed and without the surplus of overlapping files.",
    ("day", "file_key", "file_version", "line_number"),
    (
        _day("Date of the sale"),
        *_SOURCE_LINE,
        PRODUCT,
        LOCATION,
        Column("quantity", UNITS, "Units sold; negative for a return", "units", nullable=False),
        Column("unit_price", MONEY, "Price per unit", "money per unit", minimum=0),
        Column("amount", MONEY, "Money for the line", "money"),
        Column(
            "is_return", FLAG, "True for goods brought back: negative quantity, amount not positive", nullable=False
        ),
        Column("is_promotion", FLAG, "Whether the line was sold on promotion; empty if unknown"),
        Column(
            "is_near_duplicate",
            FLAG,
            "True if a file that arrived earlier tells the same sale in other words: counted all the same",
            nullable=False,
        ),
        Column(
            "is_amount_implausible",
            FLAG,
            f"Whether the amount is {IMPLAUSIBLE_AMOUNT_FACTOR} times quantity x unit price or more, or as much less; "
            "empty if any is unknown or zero",
        ),
        Column("holiday_name", TEXT, "Holiday of that day, as written; empty if none or unknown"),
        Column("weather_condition", TEXT, "Weather of that day, as written"),
        Column("customer_segment", TEXT, "Segment of the customer; used in aggregates only"),
        Column("competitor_price", MONEY, "A competitor's price per unit", "money per unit", minimum=0),
        Column("marketing_spend", MONEY, "Marketing spend attributed to the line", "money", minimum=0),
        Column("product_name", TEXT, "Product's name"),
        Column("category", TEXT, "Product's category"),
        Column("stock_level", UNITS, "Units on hand at the close of the day", "units"),
        Column("lead_time_days", REAL, "Days from order to receipt", "days", minimum=0),
        Column("supplier_delay_days", REAL, "Further days of delay seen", "days", minimum=0),
        Column("shelf_life_days", REAL, "Days the product keeps after receipt", "days", minimum=0),
    ),
    conservation=Conservation(whole="raw_sales", other="rejected_sales"),
    figures={
        "near_duplicate_lines": 'count(*) FILTER (WHERE "is_near_duplicate")',
        "implausible_amounts": 'count(*) FILTER (WHERE "is_amount_implausible")',
    },
    made_from=("raw_sales",),
    lineage={
        **{renamed: (f"raw_sales.{name}",) for name, renamed in SALES_FILE_RENAMED.items()},
        "is_return": ("raw_sales.quantity",),
        "is_near_duplicate": tuple(f"raw_sales.{name}" for name in ("file_key", "customer_id", "quantity", "amount")),
        "is_amount_implausible": ("raw_sales.amount", "raw_sales.quantity", "raw_sales.unit_price"),
    },
)

REJECTED_SALES = Table(
    "rejected_sales",
    "One row per line that was refused or removed as a duplicate, with its reason.",
    ("day", "file_key", "file_version", "line_number"),
    (
        _day("Day the line was booked on"),
        *_SOURCE_LINE,
        Column("rule", TEXT, "Rule that refused the line, such as `quantity_not_a_number`", nullable=False),
        Column("column_name", TEXT, "Column that broke the rule; empty if the whole line did"),
        Column("value", TEXT, "That column's value, as written"),
        Column("reason", TEXT, "The rule in words, and what to do", nullable=False),
        Column("is_duplicate", FLAG, "True for the surplus of overlapping files: removed, not wrong", nullable=False),
        Column("raw_text", TEXT, "The line itself, as received", nullable=False),
    ),
    figures={
        "refused_lines": 'count(*) FILTER (WHERE NOT "is_duplicate")',
        "duplicate_lines": 'count(*) FILTER (WHERE "is_duplicate")',
    },
    made_from=("raw_sales",),
    lineage={
        name: (*(f"raw_sales.{column}" for column in SALES_FILE_COLUMNS), "products.quantity_step")
        for name in ("rule", "column_name", "value", "reason", "is_duplicate")
    },
)

DAILY_DEMAND = Table(
    "daily_demand",
    "One row per product x location x day, days without a sale included.",
    ("day", "product_id", "location"),
    (
        _day("The day"),
        PRODUCT,
        LOCATION,
        Column("product_name", TEXT, "Product's name on its latest line so far, else that of the product upload"),
        Column("category", TEXT, "Product's category on its latest line so far, else that of the product upload"),
        Column(
            "is_unsold",
            FLAG,
            "True if the row is there only because the product is listed: nothing sold within NEXGEN_ACTIVE_DAYS",
        ),
        Column(
            "delisted_on",
            DATE,
            "Day from which the location no longer sells the product, as known on this day; empty if none is known",
        ),
        Column(
            "demand_units",
            UNITS,
            "Units sold (returns not deducted); a lower bound of demand on stockout days",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("returned_units", UNITS, "Units brought back", "units", nullable=False, minimum=0),
        Column(
            "revenue", MONEY, "Money taken, refunds deducted; lines of unknown amount count 0", "money", nullable=False
        ),
        Column("sales_lines", WHOLE, "Sales lines (returns not counted)", "lines", nullable=False, minimum=0),
        Column("unit_price", MONEY, "Average price of the latest day sold", "money per unit", minimum=0),
        Column("unit_price_as_of", DATE, "The day of that price"),
        Column("is_promotion", FLAG, "Whether any line of the latest day that tells it was sold on promotion"),
        Column("is_promotion_as_of", DATE, "The day that told it"),
        Column("is_open", FLAG, "Whether the location was open", nullable=False),
        Column(
            "is_open_inferred",
            FLAG,
            "True if no calendar tells it: closed if the location sold nothing where it usually sells a lot",
            nullable=False,
        ),
        Column(
            "days_since_sale",
            WHOLE,
            "Days since the last sale; 0 on a day with a sale",
            "days",
            nullable=False,
            minimum=0,
        ),
        Column("stock_level", UNITS, "Latest known stock at the close of a day", "units"),
        Column("stock_level_as_of", DATE, "The day of that stock level"),
        Column("is_stockout", FLAG, "Stock known for this very day and at zero or below; empty if unknown"),
        Column(
            "is_stockout_assumed",
            FLAG,
            "True if stock was at zero or below when last told, on an earlier day, and nothing has been sold since",
            nullable=False,
        ),
        Column("lead_time_days", REAL, "Latest known days from order to receipt", "days", minimum=0),
        Column("supplier_delay_days", REAL, "Latest known further delay", "days", minimum=0),
        Column("shelf_life_days", REAL, "Latest known shelf life", "days", minimum=0),
    ),
    figures={
        "units": 'sum("demand_units")',
        "revenue": 'sum("revenue")',
        "stockout_share": 'avg(CASE WHEN "is_stockout" THEN 1.0 ELSE 0.0 END)',
        "closed_share": 'avg(CASE WHEN "is_open" THEN 0.0 ELSE 1.0 END)',
    },
    made_from=("cleaned_sales", "products"),
    lineage={
        "product_id": ("cleaned_sales.product_id", "item_locations.product_id"),
        "shelf_life_days": ("cleaned_sales.shelf_life_days",),
        "is_unsold": ("item_locations.is_active", "cleaned_sales.day"),
        "delisted_on": ("item_locations.is_active", "item_locations.effective_date"),
        "demand_units": ("cleaned_sales.quantity", "cleaned_sales.is_return"),
        "returned_units": ("cleaned_sales.quantity", "cleaned_sales.is_return"),
        "revenue": ("cleaned_sales.amount",),
        "sales_lines": ("cleaned_sales.line_number", "cleaned_sales.is_return"),
        "unit_price": tuple(f"cleaned_sales.{name}" for name in ("amount", "quantity", "unit_price")),
        "unit_price_as_of": ("cleaned_sales.day",),
        "is_promotion_as_of": ("cleaned_sales.day",),
        "is_open": ("calendar.is_open", "cleaned_sales.line_number"),
        "is_open_inferred": ("calendar.is_open",),
        "days_since_sale": ("cleaned_sales.day",),
        "stock_level_as_of": ("cleaned_sales.day",),
        "is_stockout": ("cleaned_sales.stock_level",),
        "is_stockout_assumed": ("cleaned_sales.stock_level",),
    },
)

DEMAND_WINDOWS = (7, 14, 28, 56, 91, 182, 364)
SPREAD_WINDOWS = (28, 91)
IN_STOCK_WINDOWS = (7, 28, 91)
STOCKOUT_WINDOWS = (7, 28)
PRODUCT_WINDOWS = (7, 28, 91)
WEEKDAY_LAGS = tuple(range(7))

CLEANED_FEATURES = Table(
    "cleaned_features",
    "One row per product x location: all that is known at the close of that day.",
    ("day", "product_id", "location"),
    (
        _day("The day whose close this row knows: a forecast origin"),
        PRODUCT,
        LOCATION,
        Column("product_name", TEXT, "Product's name on its latest line so far, else that of the product upload"),
        Column("category", TEXT, "Product's category on its latest line so far, else that of the product upload"),
        Column(
            "is_new_item",
            FLAG,
            "True if the product is listed and nothing of it sold there within the lookback: its forecast is assumed",
        ),
        Column(
            "delisted_on",
            DATE,
            "Day from which the location no longer sells the product, as known on this day; empty if none is known",
        ),
        *(
            Column(
                f"demand_lag_{k}",
                REAL32,
                f"Units sold {k} days before this day" if k else "Units sold on this day",
                "units",
                minimum=0,
            )
            for k in WEEKDAY_LAGS
        ),
        *(
            Column(
                f"demand_mean_{w}",
                REAL32,
                f"Mean units a day over the days known of the last {w}, from the first sale on",
                "units per day",
                minimum=0,
            )
            for w in DEMAND_WINDOWS
        ),
        *(
            Column(
                f"in_stock_mean_{w}",
                REAL32,
                f"Mean units a day over the days known and not out of stock of the last {w}, from the first sale on",
                "units per day",
                minimum=0,
            )
            for w in IN_STOCK_WINDOWS
        ),
        *(
            Column(
                f"demand_sd_{w}",
                REAL32,
                f"Standard deviation of daily units over the days known of the last {w}, from the first sale on",
                "units per day",
                minimum=0,
            )
            for w in SPREAD_WINDOWS
        ),
        *(
            Column(
                f"zero_share_{w}",
                REAL32,
                f"Share of days without a sale among those known of the last {w}, from the first sale on",
                minimum=0,
            )
            for w in SPREAD_WINDOWS
        ),
        *(
            Column(
                f"weekday_mean_{k}",
                REAL32,
                f"Mean units over 8 weeks, from the first sale on, on the weekday of {k} days before this day",
                "units per day",
                minimum=0,
            )
            for k in WEEKDAY_LAGS
        ),
        Column(
            "demand_mean_next_28_last_year",
            REAL32,
            "Mean units a day over the 28 days that began 364 days before tomorrow; empty before the series has a year",
            "units per day",
            minimum=0,
        ),
        Column("days_since_sale", REAL32, "Days since the last sale", "days", nullable=False, minimum=0),
        Column(
            "age_days", REAL32, "Days since the first sale, capped at the lookback", "days", nullable=False, minimum=0
        ),
        Column("unit_price", REAL32, "Average price of the latest day sold", "money per unit", minimum=0),
        Column(
            "price_ratio_91", REAL32, "That price against its mean over the last 91 days; empty if unknown", minimum=0
        ),
        Column(
            "category_price_ratio",
            REAL32,
            "That price against the mean price of its category's products at this location; empty if unknown",
            minimum=0,
        ),
        Column(
            "days_since_price_change",
            REAL32,
            "Days since the price of a day sold moved by more than 2 %, capped at the lookback",
            "days",
            nullable=False,
            minimum=0,
        ),
        Column("promotion_share_28", REAL32, "Share of the last 28 days sold on promotion", nullable=False, minimum=0),
        Column(
            "planned_promotion_effect",
            REAL32,
            "By how much a planned promotion of a whole location lifts demand, in multiples of the level without: "
            "learnt from the product's last 301 days at all locations, shrunk towards its category; empty if none was "
            "ever told",
        ),
        Column(
            "days_since_promotion",
            REAL32,
            "Days since it last sold on promotion, capped at the lookback",
            "days",
            nullable=False,
            minimum=0,
        ),
        *(
            Column(
                f"stockout_share_{w}",
                REAL32,
                f"Share of the last {w} days known to be out of stock",
                nullable=False,
                minimum=0,
            )
            for w in STOCKOUT_WINDOWS
        ),
        *(
            Column(
                f"product_mean_{w}",
                REAL32,
                f"Mean units a day and location of the product over the days known of the last {w}, at all locations",
                "units per day",
                minimum=0,
            )
            for w in PRODUCT_WINDOWS
        ),
        Column(
            "category_mean_28",
            REAL32,
            "Mean units a day and product of the category at this location over the last 28 days, products that are "
            "listed and unsold not counted; at all locations if no other is left here",
            "units per day",
            nullable=False,
            minimum=0,
        ),
        Column(
            "location_mean_28",
            REAL32,
            "Mean units a day and product of this location over the last 28 days, products that are listed and unsold "
            "not counted",
            "units per day",
            minimum=0,
        ),
    ),
    same_series_as="daily_demand",
    made_from=("daily_demand", "calendar"),
    lineage={
        **{f"demand_lag_{k}": ("daily_demand.demand_units",) for k in WEEKDAY_LAGS},
        **{f"weekday_mean_{k}": ("daily_demand.demand_units",) for k in WEEKDAY_LAGS},
        **{f"demand_mean_{w}": ("daily_demand.demand_units",) for w in DEMAND_WINDOWS},
        **{
            f"{name}_{w}": ("daily_demand.demand_units",)
            for name in ("demand_sd", "zero_share")
            for w in SPREAD_WINDOWS
        },
        "is_new_item": ("daily_demand.is_unsold", "daily_demand.demand_units"),
        "demand_mean_next_28_last_year": ("daily_demand.demand_units",),
        "age_days": ("daily_demand.demand_units",),
        "price_ratio_91": ("daily_demand.unit_price", "daily_demand.demand_units"),
        "category_price_ratio": ("daily_demand.unit_price", "daily_demand.category"),
        "days_since_price_change": ("daily_demand.unit_price", "daily_demand.demand_units"),
        "promotion_share_28": ("daily_demand.is_promotion", "daily_demand.is_promotion_as_of"),
        "planned_promotion_effect": ("calendar.promotion_share", "daily_demand.demand_units"),
        "days_since_promotion": ("daily_demand.is_promotion", "daily_demand.is_promotion_as_of"),
        **{f"in_stock_mean_{w}": ("daily_demand.demand_units", "daily_demand.is_stockout") for w in IN_STOCK_WINDOWS},
        **{f"stockout_share_{w}": ("daily_demand.is_stockout",) for w in STOCKOUT_WINDOWS},
        **{f"product_mean_{w}": ("daily_demand.demand_units",) for w in PRODUCT_WINDOWS},
        "category_mean_28": ("daily_demand.category", "daily_demand.demand_units"),
        "location_mean_28": ("daily_demand.demand_units",),
    },
)

# identity of a line of an upload
_UPLOADED_LINE = (
    Column("file_key", TEXT, "Landing file", nullable=False),
    Column("line_number", WHOLE, "Line of that file", nullable=False),
)
# a line of terms holds until a later one of the same key replaces it as a whole
_TERMS_LINE = (
    Column("effective_date", DATE, "First day on which the line holds and is known", nullable=False),
    Column(
        "arrived_at",
        INSTANT,
        "When its file was first seen: of two lines effective on one day the later one counts",
        nullable=False,
    ),
    *_UPLOADED_LINE,
)

CALENDAR = Table(
    "calendar",
    "One row per planned event of a product at a location, from the calendar uploads.",
    ("product_id", "location", "start_date", "effective_date", "file_key", "line_number"),
    (
        Column("product_id", TEXT, "Product; empty for every product", nullable=False),
        Column("location", TEXT, "Location; empty for every location", nullable=False),
        Column("start_date", DATE, "First day of the event", nullable=False),
        Column("end_date", DATE, "Last day of the event", nullable=False),
        Column(
            "promotion_share",
            REAL,
            "Share of the location that runs the promotion, 1 if not told",
            nullable=False,
            minimum=0,
        ),
        Column("is_open", FLAG, "Whether the location is open; empty if not told"),
        Column("holiday_name", TEXT, "Holiday; empty if none or not told"),
        Column("unit_price", MONEY, "Planned selling price per unit; empty if not told", "money per unit", minimum=0),
        Column("effective_date", DATE, "First day on which the plan was known", nullable=False),
        *_UPLOADED_LINE,
    ),
    is_daily=False,
)

PRODUCTS = Table(
    "products",
    "One row per line of the product uploads: what holds of a product from a day on.",
    ("product_id", "effective_date", "file_key"),
    (
        PRODUCT,
        Column("product_name", TEXT, "Product's name"),
        Column("category", TEXT, "Product's category"),
        Column("unit_cost", MONEY, "Cost per unit; empty if not told", "money per unit", minimum=0),
        Column("shelf_life_days", REAL, "Days the product keeps after receipt; empty if not told", "days", minimum=0),
        Column("pack_size", REAL, "Units per pack; empty if not told", "units", minimum=0),
        Column("min_order_quantity", REAL, "Smallest order the supplier takes; empty if not told", "units", minimum=0),
        Column("quantity_step", REAL, "Smallest difference between two quantities sold", "units", minimum=0),
        Column("supplier_id", TEXT, "Supplier of the product; empty if not told"),
        *_TERMS_LINE,
    ),
    is_daily=False,
)

# more is no measured spread of a lead time
LARGEST_LEAD_TIME_SD_DAYS = 90.0
SUPPLIERS = Table(
    "suppliers",
    "One row per line of the supplier uploads: what holds of a supplier from a day on.",
    ("supplier_id", "effective_date", "file_key"),
    (
        Column("supplier_id", TEXT, "Supplier, as written in the file: a leading zero counts", nullable=False),
        Column("supplier_name", TEXT, "Supplier's name"),
        Column("lead_time_days", REAL, "Days from order to receipt; empty if not told", "days", minimum=0),
        Column("lead_time_sd_days", REAL, "Standard deviation of those days; empty if not told", "days", minimum=0),
        Column("order_days", TEXT, "Weekdays on which orders are taken, such as `mon thu`; empty if not told"),
        Column("min_order_value", MONEY, "Smallest order in money; empty if not told", "money", minimum=0),
        *_TERMS_LINE,
    ),
    is_daily=False,
)

ITEM_LOCATIONS = Table(
    "item_locations",
    "One row per line of the item-location uploads: what holds of a product at a location from a day on.",
    ("product_id", "location", "effective_date", "file_key"),
    (
        PRODUCT,
        LOCATION,
        Column(
            "is_active",
            FLAG,
            "Whether the location sells the product: true lists it, false delists it; empty if not told",
        ),
        Column("max_stock", REAL, "Most units the location has room for; empty if not told", "units", minimum=0),
        Column("display_minimum", REAL, "Units that must always be on show; empty if not told", "units", minimum=0),
        Column("supplier_id", TEXT, "Supplier of this location, in place of the product's; empty if the product's"),
        Column(
            "lead_time_days",
            REAL,
            "Days from order to receipt at this location, in place of the supplier's; empty if the supplier's",
            "days",
            minimum=0,
        ),
        *_TERMS_LINE,
    ),
    is_daily=False,
)

ABC_CLASSES, XYZ_CLASSES = ("A", "B", "C"), ("X", "Y", "Z")
DEMAND_CLASSES = ("smooth", "erratic", "intermittent", "lumpy", "dormant")
OrderPolicyKind = Literal["order_up_to", "min_max", "reorder_quantity", "newsvendor"]
ORDER_POLICY_KINDS: tuple[OrderPolicyKind, ...] = get_args(OrderPolicyKind)
ORDER_POLICIES = Table(
    "order_policies",
    "One row per line of the order policy uploads: by what some products are ordered from a day on.",
    (
        *("product_id", "location", "supplier_id", "category", "demand_class", "xyz_class", "abc_class"),
        *("effective_date", "file_key"),
    ),
    (
        Column("product_id", TEXT, "Product; empty for every product", nullable=False),
        Column("location", TEXT, "Location; empty for every location", nullable=False),
        Column("supplier_id", TEXT, "Supplier; empty for every supplier", nullable=False),
        Column("category", TEXT, "Category; empty for every category", nullable=False),
        Column(
            "demand_class",
            TEXT,
            "`smooth`, `erratic`, `intermittent`, `lumpy` or `dormant`; empty for every class",
            nullable=False,
        ),
        Column("xyz_class", TEXT, "`X` (steady), `Y` or `Z`; empty for every class", nullable=False),
        Column("abc_class", TEXT, "`A` (most money), `B` or `C`; empty for every class", nullable=False),
        Column(
            "policy",
            TEXT,
            "`order_up_to`, `min_max`, `reorder_quantity` or `newsvendor`; empty for that of the deployment",
        ),
        Column("service_level", REAL, "Target probability of no stockout; empty if not told", minimum=0),
        Column("fill_rate", REAL, "Target share of demand served from stock; empty if not told", minimum=0),
        Column("review_period_days", WHOLE, "Days between two reviews; empty if not told", "days", minimum=1),
        Column("lot_days", REAL, "Days of demand in a lot; empty for the economic order quantity", "days", minimum=0),
        Column(
            "salvage_share",
            REAL,
            "Share of the cost that a unit left over by the newsvendor still brings; empty for 0",
            minimum=0,
        ),
        *_TERMS_LINE,
    ),
    is_daily=False,
)

NETWORK = Table(
    "network",
    "One row per line of the network uploads: which location supplies another one from a day on.",
    ("location", "category", "effective_date", "file_key"),
    (
        Column("location", TEXT, "Location that is supplied", nullable=False),
        Column("category", TEXT, "Category of the products; empty for all that no other line names", nullable=False),
        Column("supplied_by", TEXT, "Location (centre) that supplies it; empty where suppliers do"),
        Column("lead_time_days", REAL, "Days from order to receipt from there; empty if not told", "days", minimum=0),
        Column(
            "minimum_transfer_value",
            MONEY,
            "Least value of goods that are moved to the location from another one; empty for the setting's",
            "money",
            minimum=0,
        ),
        *_TERMS_LINE,
    ),
    is_daily=False,
)

INVENTORY_COUNTS = Table(
    "inventory_counts",
    "One row per product x location x counted day, from the inventory uploads.",
    ("product_id", "location", "count_date"),
    (
        PRODUCT,
        LOCATION,
        Column("count_date", DATE, "Day at whose close the stock was counted", nullable=False),
        Column("on_hand", REAL, "Units on hand", "units", nullable=False),
        Column("on_order_units", REAL, "Units ordered and not yet received; empty if not told", "units", minimum=0),
        Column("on_order_due_date", DATE, "Day those are due; empty if unknown"),
        Column("committed_units", REAL, "Units promised to somebody; empty if not told", "units", minimum=0),
        Column("lead_time_days", REAL, "Days from order to receipt; empty if not told", "days", minimum=0),
        Column("unit_cost", MONEY, "Cost per unit; empty if not told", "money per unit", minimum=0),
        Column("pack_size", REAL, "Units per pack; empty if not told", "units", minimum=0),
        Column("min_order_quantity", REAL, "Smallest order the supplier takes; empty if not told", "units", minimum=0),
        Column(
            "source", TEXT, "Where the count comes from, as the file says: `count`, `simulated`, ...", nullable=False
        ),
        *_UPLOADED_LINE,
    ),
    is_daily=False,
)

# Not stored on the lake: what `decisions/` hands over of the orders that are firm.
FIRM_LINES = Table(
    "firm_lines",
    "One row per order line that is approved or exported.",
    ("order_date", "product_id", "location"),
    (
        Column("order_date", DATE, "Day the order is placed", nullable=False),
        PRODUCT,
        LOCATION,
        Column("due_date", DATE, "Day the order is sellable, at opening", nullable=False),
        Column("order_units", REAL, "Units ordered", "units", nullable=False, minimum=0),
        Column("supplier_id", TEXT, "Supplier the order goes to, or the centre; empty if not told"),
    ),
    is_daily=False,
)

OPEN_ORDERS = Table(
    "open_orders",
    "One row per order line on order at the close of the day, or assumed received since the last stock figure.",
    ("day", "product_id", "location", "order_source", "ordered_as_of"),
    (
        _day("The day at whose close this holds"),
        PRODUCT,
        LOCATION,
        Column(
            "order_source",
            TEXT,
            "Who told of the line: `decision` (approved or exported here) or `inventory` (`on_order` of a file)",
            nullable=False,
        ),
        Column(
            "ordered_as_of",
            DATE,
            "Day the order is placed; for a line of an inventory file the day of its count",
            nullable=False,
        ),
        Column("due_date", DATE, "Day the line is due; empty if unknown"),
        Column("order_units", REAL, "Units ordered", "units", nullable=False, minimum=0),
        Column(
            "is_assumed_received",
            FLAG,
            "True from the due date on, until a stock figure of that day or later holds the units",
            nullable=False,
        ),
    ),
    figures={
        "on_order_units": 'sum("order_units") FILTER (WHERE NOT "is_assumed_received")',
        "assumed_received_units": 'sum("order_units") FILTER (WHERE "is_assumed_received")',
    },
    made_from=("inventory_counts", "daily_demand"),
    lineage={
        "order_source": ("inventory_counts.on_order_units",),
        "ordered_as_of": ("inventory_counts.count_date",),
        "due_date": ("inventory_counts.on_order_due_date",),
        "order_units": ("inventory_counts.on_order_units",),
        "is_assumed_received": (
            "inventory_counts.on_order_due_date",
            "inventory_counts.count_date",
            "daily_demand.stock_level_as_of",
        ),
    },
)

SUPPLIED_BY = Column("supplied_by", TEXT, "Centre (location) that the order goes to; empty where it goes to a supplier")
_SUPPLIER_SOURCES = ("item_locations.supplier_id", "network.supplied_by", "products.supplier_id")
_LEAD_TIME_SOURCES = (
    "inventory_counts.lead_time_days",
    "item_locations.lead_time_days",
    "network.lead_time_days",
    "suppliers.lead_time_days",
    "daily_demand.lead_time_days",
    "daily_demand.supplier_delay_days",
)
INVENTORY_POSITIONS = Table(
    "inventory_positions",
    "One row per product x location: stock, what is on order, and the terms of its supply at the close of the day.",
    ("day", "product_id", "location"),
    (
        _day("The day at whose close this holds"),
        PRODUCT,
        LOCATION,
        Column(
            "on_hand",
            REAL,
            "Units on hand after the close of the day; empty if no stock was ever told",
            "units",
            minimum=0,
        ),
        Column("on_hand_as_of", DATE, "Day of the last count that `on_hand` rests on"),
        Column("is_on_hand_estimated", FLAG, "True if computed from a count of an earlier day", nullable=False),
        Column(
            "inventory_source",
            TEXT,
            "Where the count comes from: `sales_lines`, `count`, `simulated`, `unknown`",
            nullable=False,
        ),
        Column(
            "on_order_units", REAL, "Units on order and due later than this day", "units", nullable=False, minimum=0
        ),
        Column(
            "committed_units",
            REAL,
            "Units that the last count told to be promised, less what was sold since; 0 if it told none",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "lead_time_days",
            WHOLE,
            "Days from order to receipt, delay included, rounded up",
            "days",
            nullable=False,
            minimum=0,
        ),
        Column("is_default_lead_time", FLAG, "True if nobody told the lead time", nullable=False),
        Column(
            "lead_time_sd_days",
            REAL,
            "Standard deviation of the supplier's lead time; empty if not told: the lead time is taken as certain",
            "days",
            minimum=0,
        ),
        Column("pack_size", REAL, "Units per pack", "units", nullable=False, minimum=0),
        Column("is_default_pack_size", FLAG, "True if nobody told the pack size", nullable=False),
        Column("min_order_quantity", REAL, "Smallest order the supplier takes", "units", nullable=False, minimum=0),
        Column("is_default_min_order_quantity", FLAG, "True if nobody told the MOQ", nullable=False),
        Column(
            "unit_cost",
            REAL,
            "Cost per unit; assumed as price less the default margin if not told; empty without a price",
            "money per unit",
            minimum=0,
        ),
        Column("is_default_unit_cost", FLAG, "True if the cost is assumed", nullable=False),
        Column("shelf_life_days", REAL, "Days the product keeps after receipt; empty if not told", "days", minimum=0),
        Column(
            "supplier_id",
            TEXT,
            "Supplier: the item location's, else the centre that supplies the location, else the product's; "
            "empty if not told",
        ),
        Column("order_days", TEXT, "Weekdays on which that supplier takes orders; empty if not told"),
        Column("min_order_value", REAL, "Smallest order that supplier takes; empty if not told", "money", minimum=0),
        Column("display_minimum", REAL, "Units that must always be on show; empty if not told", "units", minimum=0),
        Column("max_stock", REAL, "Most units the location has room for; empty if not told", "units", minimum=0),
        SUPPLIED_BY,
    ),
    same_series_as="daily_demand",
    figures={"unknown_stock_share": 'avg(CASE WHEN "on_hand" IS NULL THEN 1.0 ELSE 0.0 END)'},
    made_from=("daily_demand", "inventory_counts", "open_orders"),
    lineage={
        "on_hand": (
            "inventory_counts.on_hand",
            "daily_demand.stock_level",
            "daily_demand.demand_units",
            "open_orders.order_units",
        ),
        "on_order_units": ("open_orders.order_units",),
        "committed_units": ("inventory_counts.committed_units", "daily_demand.demand_units"),
        "on_hand_as_of": ("inventory_counts.count_date", "daily_demand.stock_level_as_of"),
        "is_on_hand_estimated": ("inventory_counts.count_date", "daily_demand.stock_level_as_of"),
        "inventory_source": ("inventory_counts.source", "daily_demand.stock_level"),
        **dict.fromkeys(("lead_time_days", "is_default_lead_time"), _LEAD_TIME_SOURCES),
        "lead_time_sd_days": ("suppliers.lead_time_sd_days",),
        **{
            name: (f"inventory_counts.{term}", f"products.{term}")
            for term, names in {
                "pack_size": ("pack_size", "is_default_pack_size"),
                "min_order_quantity": ("min_order_quantity", "is_default_min_order_quantity"),
            }.items()
            for name in names
        },
        "unit_cost": ("inventory_counts.unit_cost", "products.unit_cost", "daily_demand.unit_price"),
        "is_default_unit_cost": ("inventory_counts.unit_cost", "products.unit_cost"),
        "shelf_life_days": ("products.shelf_life_days", "daily_demand.shelf_life_days"),
        "supplier_id": _SUPPLIER_SOURCES,
        "supplied_by": _SUPPLIER_SOURCES,
        **{name: (f"suppliers.{name}",) for name in ("order_days", "min_order_value")},
        **{name: (f"item_locations.{name}",) for name in ("display_minimum", "max_stock")},
    },
)

_CENTRE_FIGURES = ("on_hand", "on_hand_as_of", "is_on_hand_estimated", "committed_units")
_CENTRE_TERMS = tuple(
    name for name in INVENTORY_POSITIONS.names if name not in (*INVENTORY_POSITIONS.grain, *_CENTRE_FIGURES)
)
_CENTRE_COUNT = ("inventory_counts.count_date", "network.supplied_by")
CENTRE_STOCK = Table(
    "centre_stock",
    "One row per product x centre: what a location that supplies others has to give, and its terms of supply.",
    ("day", "product_id", "location"),
    (
        _day("The day at whose close this holds"),
        PRODUCT,
        Column("location", TEXT, "Centre: a location that supplies others", nullable=False),
        Column(
            "on_hand",
            REAL,
            "Units to give after the close of the day: counted + received - sent - sold - committed, at least 0",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("on_hand_as_of", DATE, "Day of the last count that `on_hand` rests on", nullable=False),
        Column("is_on_hand_estimated", FLAG, "True if computed from a count of an earlier day", nullable=False),
        Column("counted_units", REAL, "Units counted on that day", "units", nullable=False),
        Column("received_units", REAL, "Units assumed received since", "units", nullable=False, minimum=0),
        Column(
            "sent_units",
            REAL,
            "Units of the orders that other locations have placed here since, approved or exported: taken as sent on "
            "their order date",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("sold_units", REAL, "Units sold here since", "units", nullable=False, minimum=0),
        Column(
            "committed_units",
            REAL,
            "Units that were promised at the count, less those sold since",
            "units",
            nullable=False,
            minimum=0,
        ),
        *(column for column in INVENTORY_POSITIONS.columns if column.name in _CENTRE_TERMS),
    ),
    figures={"on_hand": 'sum("on_hand")', "sent_units": 'sum("sent_units")'},
    made_from=("inventory_counts", "network", "open_orders", "daily_demand"),
    lineage={
        **{name: told for name, told in INVENTORY_POSITIONS.lineage.items() if name in _CENTRE_TERMS},
        "location": ("network.supplied_by",),
        "on_hand": (
            *("inventory_counts.on_hand", "inventory_counts.committed_units"),
            *("open_orders.order_units", "daily_demand.demand_units"),
        ),
        **dict.fromkeys(("on_hand_as_of", "is_on_hand_estimated"), _CENTRE_COUNT),
        "counted_units": ("inventory_counts.on_hand",),
        "received_units": ("open_orders.order_units", "open_orders.is_assumed_received"),
        "sent_units": _CENTRE_COUNT,
        "sold_units": ("daily_demand.demand_units",),
        "committed_units": ("inventory_counts.committed_units", "daily_demand.demand_units"),
    },
)

_FORECAST_FROM = (
    *(f"cleaned_features.{c.name}" for c in CLEANED_FEATURES.columns if c.type == REAL32),
    "cleaned_features.category",
    "cleaned_features.is_new_item",
    "cleaned_features.delisted_on",
    "calendar.promotion_share",
)
FORECASTS = Table(
    "forecasts",
    "One row per product x location x horizon day: mean and quantiles of demand.",
    ("day", "product_id", "location", "target_date"),
    (
        _day("Forecast origin: the last day whose sales are known"),
        PRODUCT,
        LOCATION,
        Column("target_date", DATE, "Day that is forecast", nullable=False),
        Column("horizon", WHOLE, "Days from the origin to the target", "days", nullable=False, minimum=1),
        Column("mean", REAL32, "Expected demand", "units", nullable=False, minimum=0),
        *(
            Column(
                name,
                REAL32,
                f"Demand that is not exceeded with probability {level}",
                "units",
                nullable=False,
                minimum=0,
            )
            for name, level in QUANTILES.items()
        ),
        Column("model_version", TEXT, "Model that made the forecast, or `seasonal_naive`", nullable=False),
        Column(
            "spread",
            REAL32,
            "How far demand is expected to be from the mean, relative to it; not told by the seasonal naive",
            minimum=0,
        ),
    ),
    same_series_as="daily_demand",
    figures={"expected_units": 'sum("mean")'},
    made_from=("cleaned_features",),
    lineage={
        "target_date": ("cleaned_features.day",),
        **dict.fromkeys(("mean", *QUANTILES, "spread"), _FORECAST_FROM),
    },
)

# levels at which published quantiles are measured
JUDGED_QUANTILES = ("q10", "q50", "q90", "q95", "q99")
# classes of the mean forecast of a day, in units: name -> its lower bound
VOLUME_CLASSES: dict[str, float] = {"below_0.1": 0.0, "0.1_to_1": 0.1, "1_to_10": 1.0, "10_and_more": 10.0}
FORECAST_ACCURACY = Table(
    "forecast_accuracy",
    "One row per model version x horizon x volume class: sums of the errors of all forecasts of the day.",
    ("day", "model_version", "horizon", "volume_class"),
    (
        _day("The day that was forecast, whose demand is known now; the origin is `horizon` days earlier"),
        Column("model_version", TEXT, "Model that made the forecasts, or `seasonal_naive`", nullable=False),
        Column("horizon", WHOLE, "Days from the origin to the target", "days", nullable=False, minimum=1),
        Column(
            "volume_class",
            TEXT,
            f"Class of the mean forecast in units a day: {', '.join(f'`{name}`' for name in VOLUME_CLASSES)}",
            nullable=False,
        ),
        Column(
            "series_days", WHOLE, "Forecasts judged: in stock, demand known", "forecasts", nullable=False, minimum=0
        ),
        Column("demand_units", REAL, "Sum of their demand", "units", nullable=False, minimum=0),
        Column("forecast_units", REAL, "Sum of their mean forecasts", "units", nullable=False, minimum=0),
        Column("absolute_error_units", REAL, "Sum of |mean forecast - demand|", "units", nullable=False, minimum=0),
        Column("squared_error", REAL, "Sum of (mean forecast - demand)^2", "units^2", nullable=False, minimum=0),
        Column(
            "seasonal_naive_absolute_error_units",
            REAL,
            "Sum of |demand of the last same weekday up to the origin - demand| of the same forecasts",
            "units",
            nullable=False,
            minimum=0,
        ),
        *(
            Column(
                f"pinball_loss_{name}",
                REAL,
                f"Sum of the quantile loss at {QUANTILES[name]}",
                "units",
                nullable=False,
                minimum=0,
            )
            for name in JUDGED_QUANTILES
        ),
        *(
            Column(
                f"above_{name}",
                WHOLE,
                f"Forecasts whose demand was above `{name}`",
                "forecasts",
                nullable=False,
                minimum=0,
            )
            for name in JUDGED_QUANTILES
        ),
        Column(
            "stockout_days",
            WHOLE,
            "Further forecasts, of days known to be out of stock: what was sold is less than what was wanted",
            "forecasts",
            nullable=False,
            minimum=0,
        ),
        *(
            Column(
                f"stockout_above_{name}",
                WHOLE,
                f"Those of them where already the units sold were above `{name}`",
                "forecasts",
                nullable=False,
                minimum=0,
            )
            for name in JUDGED_QUANTILES
        ),
    ),
    figures={
        "wape": 'sum("absolute_error_units") / nullif(sum("demand_units"), 0)',
        "seasonal_naive_wape": 'sum("seasonal_naive_absolute_error_units") / nullif(sum("demand_units"), 0)',
        "bias": '(sum("forecast_units") - sum("demand_units")) / nullif(sum("demand_units"), 0)',
        "share_above_q95": 'CAST(sum("above_q95") AS DOUBLE) / nullif(sum("series_days"), 0)',
    },
    made_from=("forecasts", "daily_demand"),
    lineage={
        "day": ("forecasts.target_date", "daily_demand.day"),
        "volume_class": ("forecasts.mean",),
        **dict.fromkeys(("series_days", "stockout_days"), ("daily_demand.demand_units", "daily_demand.is_stockout")),
        "demand_units": ("daily_demand.demand_units", "daily_demand.is_stockout"),
        "forecast_units": ("forecasts.mean", "daily_demand.is_stockout"),
        **dict.fromkeys(("absolute_error_units", "squared_error"), ("forecasts.mean", "daily_demand.demand_units")),
        "seasonal_naive_absolute_error_units": ("daily_demand.demand_units",),
        **{
            f"{sum_of}_{name}": (f"forecasts.{name}", "daily_demand.demand_units")
            for sum_of in ("pinball_loss", "above", "stockout_above")
            for name in JUDGED_QUANTILES
        },
    },
)

_LEAD_TIME_OF_ORDERS = ("inventory_positions.lead_time_days", "inventory_positions.lead_time_sd_days")
_DEMAND_OF_ORDERS = ("forecasts.mean", "cleaned_features.delisted_on", *_LEAD_TIME_OF_ORDERS)
_SEGMENTS_OF_ORDERS = (
    *(f"cleaned_features.{name}" for name in ("demand_mean_91", "demand_sd_91", "zero_share_91", "unit_price")),
    "inventory_positions.unit_cost",
)
_REVIEWS_OF_ORDERS = ("inventory_positions.order_days", "order_policies.review_period_days")
_LEVEL_OF_ORDERS = (
    *_DEMAND_OF_ORDERS,
    *_REVIEWS_OF_ORDERS,
    *(f"order_policies.{name}" for name in ("policy", "service_level", "fill_rate", "salvage_share")),
)
_POSITION_OF_ORDERS = tuple(f"inventory_positions.{name}" for name in ("on_hand", "on_order_units", "committed_units"))
_UNITS_OF_ORDERS = (
    *_LEVEL_OF_ORDERS,
    "order_policies.lot_days",
    *_POSITION_OF_ORDERS,
    "inventory_positions.min_order_quantity",
    "inventory_positions.pack_size",
    "inventory_positions.display_minimum",
    "inventory_positions.max_stock",
    "inventory_positions.shelf_life_days",
    "inventory_positions.min_order_value",
    "inventory_positions.supplied_by",
    "centre_stock.on_hand",
)
# the columns that add up to `order_units`, in the order in which it comes about, and their signs
ORDER_LEDGER = {
    "expected_demand_until_receipt": 1,
    "expected_demand_after_receipt": 1,
    "safety_stock_for_demand": 1,
    "safety_stock_for_lead_time": 1,
    "on_hand": -1,
    "on_order_units": -1,
    "committed_units": 1,
    "surplus_units": 1,
    "display_units": 1,
    "lot_units": 1,
    "moq_units": 1,
    "pack_units": 1,
    "max_stock_units": 1,
    "shelf_life_units": 1,
    "delisted_units": 1,
    "review_units": 1,
    "blocked_units": 1,
    "supplier_minimum_units": 1,
    "allocation_units": 1,
    "budget_units": 1,
}
POSITION_LEDGER = {"on_hand": 1, "on_order_units": 1, "committed_units": -1}
REORDER_RECOMMENDATIONS = Table(
    "reorder_recommendations",
    "One row per product x location to decide on, with every number its order quantity comes from.",
    ("day", "product_id", "location"),
    (
        _day("Forecast origin: the last day whose sales are known"),
        PRODUCT,
        LOCATION,
        Column("product_name", TEXT, "Product's name"),
        Column("category", TEXT, "Product's category"),
        Column(
            "abc_class",
            TEXT,
            "A: of those that made 80 % of the money in 91 days; B: of the next 15 %; C: the rest",
            nullable=False,
        ),
        Column(
            "xyz_class", TEXT, "Weeks vary by half their mean at most: X; by their mean: Y; more: Z", nullable=False
        ),
        Column(
            "demand_class",
            TEXT,
            "`smooth`, `erratic`, `intermittent`, `lumpy`; `dormant` without demand in 91 days",
            nullable=False,
        ),
        Column(
            "delisted_on",
            DATE,
            "Day from which the location no longer sells the product; empty if none is known",
        ),
        Column("supplier_id", TEXT, "Supplier the order goes to; empty if not told"),
        Column("order_days", TEXT, "Weekdays on which that supplier takes orders; empty if not told"),
        Column("is_review", FLAG, "True if orders are placed on the order date", nullable=False),
        Column(
            "policy",
            TEXT,
            "What an order raises the position to: `order_up_to` and `newsvendor` the level, `min_max` a lot above it, "
            "`reorder_quantity` whole lots until it is reached",
            nullable=False,
        ),
        Column(
            "policy_source",
            TEXT,
            "File and line of the upload that decides on policy and target; empty if the deployment does",
        ),
        Column(
            "target_fill_rate",
            REAL,
            "Target share of demand served from stock; empty where the service level is the target",
            minimum=0,
        ),
        Column("order_date", DATE, "Day the order is placed: the day after the origin", nullable=False),
        Column("receipt_date", DATE, "Day the order is sellable, at opening", nullable=False),
        Column("order_units", REAL, "Units to order", "units", nullable=False, minimum=0),
        Column("order_value", REAL, "Those units at unit cost; empty if the cost is unknown", "money", minimum=0),
        Column("expected_demand", REAL, "Mean demand over the protection interval", "units", nullable=False, minimum=0),
        Column(
            "expected_demand_until_receipt",
            REAL,
            "The part of it before the order can be sold",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("expected_demand_after_receipt", REAL, "The rest of it", "units", nullable=False, minimum=0),
        Column("safety_stock", REAL, "Order-up-to level less that mean", "units", nullable=False),
        Column(
            "safety_stock_for_demand",
            REAL,
            "The part of it against uncertain demand: what a certain lead time would need",
            "units",
            nullable=False,
        ),
        Column(
            "safety_stock_for_lead_time",
            REAL,
            "The part of it against an uncertain lead time: the rest, 0 where the lead time is certain",
            "units",
            nullable=False,
        ),
        Column(
            "order_up_to_level",
            REAL,
            "Demand over the protection interval that is not exceeded with the service level's probability, or what "
            "reaches the target fill rate: below it an order is placed",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "cycle_fill_rate",
            REAL,
            "Share of demand that this level serves over a cycle of orders, with what lots, MOQ and packs bring above "
            "it; empty where the target is a service level",
            minimum=0,
        ),
        Column(
            "above_level_units",
            REAL,
            "Units that lots, MOQ and packs keep the position above the level after a review, on average: what that "
            "share counts on",
            "units",
            minimum=0,
        ),
        Column(
            "protection_interval_days",
            WHOLE,
            "Days to the next review + mean lead time: the days the order must cover",
            "days",
            nullable=False,
            minimum=1,
        ),
        Column(
            "review_period_days",
            WHOLE,
            "Days from the order date to the next review",
            "days",
            nullable=False,
            minimum=1,
        ),
        Column(
            "lead_time_days", WHOLE, "Days from order to receipt, delay included", "days", nullable=False, minimum=0
        ),
        Column(
            "lead_time_sd_days",
            REAL,
            "Standard deviation of those days; empty if not told: they are taken as certain",
            "days",
            minimum=0,
        ),
        Column(
            "service_level",
            REAL,
            "Probability of no stockout in the interval that the level stands for (cycle service level): the target, "
            "the critical ratio, or what the target fill rate comes to",
            nullable=False,
            minimum=0,
        ),
        Column(
            "on_hand",
            REAL,
            "Units on hand at the close of the origin; 0 is used if unknown",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("on_order_units", REAL, "Units on order", "units", nullable=False, minimum=0),
        Column(
            "committed_units",
            REAL,
            "Units of what is on hand that are promised to somebody",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "inventory_position",
            REAL,
            "On hand + on order - committed; negative where more is promised than there is",
            "units",
            nullable=False,
        ),
        Column(
            "surplus_units",
            REAL,
            "Inventory position less order-up-to level, at least 0: nothing is sent back",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "net_requirement",
            REAL,
            "Order-up-to level less inventory position, at least 0",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("display_minimum", REAL, "Units that must always be on show; empty if not told", "units", minimum=0),
        Column(
            "display_units",
            REAL,
            "Units added because the position would be below the display minimum",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("lot_units", REAL, "Units added because orders are placed in lots", "units", nullable=False, minimum=0),
        Column("min_order_quantity", REAL, "Smallest order the supplier takes", "units", nullable=False, minimum=0),
        Column("moq_units", REAL, "Units added by the MOQ", "units", nullable=False, minimum=0),
        Column("pack_size", REAL, "Units per pack", "units", nullable=False, minimum=0),
        Column(
            "pack_units",
            REAL,
            "Units added by rounding to full packs; negative if rounded down",
            "units",
            nullable=False,
        ),
        Column("pack_rounding", TEXT, "How needs become full packs: `up`, `nearest`, `cost`", nullable=False),
        Column("max_stock", REAL, "Most units the location has room for; empty if not told", "units", minimum=0),
        Column(
            "stock_on_arrival",
            REAL,
            "Units that may be there when the order arrives, with 95 % probability no more: on hand less what is sold "
            "or promised until then, and all that is on order; the order must find room beside them; empty without a "
            "maximum",
            "units",
            minimum=0,
        ),
        Column("max_stock_units", REAL, "Minus the units there is no room for", "units", nullable=False),
        Column("shelf_life_days", REAL, "Days the product keeps after receipt; empty if not told", "days", minimum=0),
        Column("max_waste_share", REAL, "Largest share of the position that may be wasted", nullable=False, minimum=0),
        Column(
            "shelf_life_units",
            REAL,
            "Minus the units of which too many would be wasted",
            "units",
            nullable=False,
        ),
        Column(
            "delisted_units",
            REAL,
            "Minus the units that are not ordered because the product is delisted by the receipt date",
            "units",
            nullable=False,
        ),
        Column(
            "review_units",
            REAL,
            "Minus the units that are not ordered because the order date is no review",
            "units",
            nullable=False,
        ),
        Column(
            "blocked_units",
            REAL,
            "Minus the units that are not ordered because data is missing",
            "units",
            nullable=False,
        ),
        Column(
            "min_order_value",
            REAL,
            "Smallest order that the supplier takes, of all products and locations together; empty if not told",
            "money",
            minimum=0,
        ),
        Column(
            "supplier_minimum_units",
            REAL,
            "Units added to reach that, or taken away where it cannot be reached",
            "units",
            nullable=False,
        ),
        SUPPLIED_BY,
        Column(
            "centre_on_hand",
            REAL,
            "Units of the product that the centre has for all the locations it supplies; empty without a centre, or if "
            "nobody told",
            "units",
            minimum=0,
        ),
        Column(
            "supplied_locations",
            WHOLE,
            "Of a centre: locations that get the product from it, whose orders are its demand; empty elsewhere",
            minimum=1,
        ),
        Column(
            "allocation_units",
            REAL,
            "Minus the units that the centre does not have: it shares out what it has",
            "units",
            nullable=False,
        ),
        Column("budget_units", REAL, "Minus the units that the day's budget does not buy", "units", nullable=False),
        Column(
            "value_of_last_money",
            REAL,
            "Where the budget cut the order: what its last money is expected to earn, per money spent",
            minimum=0,
        ),
        Column(
            "blocked_reason",
            TEXT,
            "Why nothing is ordered before somebody has looked at the line; empty if it is not blocked",
        ),
        Column("unit_cost", REAL, "Cost per unit", "money per unit", minimum=0),
        Column("unit_price", REAL, "Selling price per unit, of the latest day sold", "money per unit", minimum=0),
        Column(
            "stockout_probability",
            REAL,
            "Probability of running out before an order of the next review arrives, if nothing is ordered now",
            nullable=False,
            minimum=0,
        ),
        Column(
            "expected_lost_units",
            REAL,
            "Expected unmet demand over the protection interval if nothing is ordered",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "stockout_probability_until_receipt",
            REAL,
            "Probability of running out before this order can be sold: no order placed now prevents it",
            nullable=False,
            minimum=0,
        ),
        Column(
            "expected_lost_units_until_receipt",
            REAL,
            "Expected unmet demand until then",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "stockout_probability_with_order",
            REAL,
            "Probability of running out before an order of the next review arrives, with this order: at most that",
            nullable=False,
            minimum=0,
        ),
        Column(
            "expected_lost_units_with_order",
            REAL,
            "Expected unmet demand over the protection interval with this order: at most that",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "promised_cycle_service",
            REAL,
            "Probability that the position with this order covers the demand of the protection interval",
            nullable=False,
            minimum=0,
        ),
        Column(
            "promised_fill_rate",
            REAL,
            "Share of demand after the receipt that is served from stock with this order: at least that; empty without "
            "demand",
            minimum=0,
        ),
        Column(
            "expected_waste_units",
            REAL,
            "Units of the position with this order that are expected to expire unsold; empty without a shelf life",
            "units",
            minimum=0,
        ),
        Column(
            "money_at_risk",
            REAL,
            "That unmet demand at the selling price; empty if the price is unknown",
            "money",
            minimum=0,
        ),
        Column(
            "days_of_cover",
            REAL,
            "Days the inventory position, if there is one, lasts at the expected demand; empty without demand",
            "days",
            minimum=0,
        ),
        Column(
            "inventory_source",
            TEXT,
            "Where the stock figure comes from: `sales_lines`, `count`, `simulated`, `unknown`",
            nullable=False,
        ),
        Column(
            "assumptions",
            TEXT,
            "What nobody told and was assumed, separated by commas; empty if nothing",
            nullable=False,
        ),
        Column(
            "is_beyond_horizon",
            FLAG,
            "True if the protection interval reaches beyond the forecast and was extrapolated",
            nullable=False,
        ),
        Column("next_order_date", DATE, "Next day an order can be placed", nullable=False),
        Column("model_version", TEXT, "Model behind the forecast", nullable=False),
        Column("policy_version", TEXT, "Version of the order policy", nullable=False),
        Column("explanation", TEXT, "The order in one sentence", nullable=False),
        Column("revision", TEXT, "Hash of the row's content: the same inputs give the same revision", nullable=False),
    ),
    same_series_as="daily_demand",
    more_series="supplied_locations",
    ledgers=(Ledger("inventory_position", POSITION_LEDGER), Ledger("order_units", ORDER_LEDGER)),
    multiples={"order_units": "pack_size"},
    # what a centre sends to its locations it has bought: a purchase counts once
    figures={
        "order_units": 'sum("order_units") FILTER (WHERE "supplied_by" IS NULL)',
        "order_value": 'sum("order_value") FILTER (WHERE "supplied_by" IS NULL)',
    },
    made_from=("inventory_positions", "cleaned_features", "forecasts"),
    lineage={
        "centre_on_hand": ("centre_stock.on_hand",),
        "supplied_locations": ("centre_stock.location", "inventory_positions.supplied_by"),
        "order_date": ("inventory_positions.day",),
        **dict.fromkeys(
            ("next_order_date", "is_review", "review_period_days"), ("inventory_positions.day", *_REVIEWS_OF_ORDERS)
        ),
        **dict.fromkeys(("abc_class", "xyz_class", "demand_class"), _SEGMENTS_OF_ORDERS),
        **dict.fromkeys(
            ("policy", "policy_source"), ("order_policies.policy", "order_policies.file_key", *_SEGMENTS_OF_ORDERS)
        ),
        "target_fill_rate": ("order_policies.fill_rate",),
        "receipt_date": ("inventory_positions.lead_time_days",),
        "protection_interval_days": ("inventory_positions.lead_time_days", *_REVIEWS_OF_ORDERS),
        "is_beyond_horizon": _LEAD_TIME_OF_ORDERS,
        **dict.fromkeys(
            (
                "expected_demand",
                "expected_demand_until_receipt",
                "expected_demand_after_receipt",
            ),
            (*_DEMAND_OF_ORDERS, *_REVIEWS_OF_ORDERS),
        ),
        **dict.fromkeys(
            (
                "order_up_to_level",
                "service_level",
                "safety_stock",
                "safety_stock_for_demand",
                "safety_stock_for_lead_time",
            ),
            _LEVEL_OF_ORDERS,
        ),
        "inventory_position": _POSITION_OF_ORDERS,
        "stock_on_arrival": (*_DEMAND_OF_ORDERS, *_POSITION_OF_ORDERS, "inventory_positions.max_stock"),
        **dict.fromkeys(
            (
                "stockout_probability",
                "stockout_probability_until_receipt",
                "expected_lost_units",
                "expected_lost_units_until_receipt",
                "days_of_cover",
            ),
            (*_DEMAND_OF_ORDERS, *_POSITION_OF_ORDERS),
        ),
        **dict.fromkeys(("surplus_units", "net_requirement"), (*_LEVEL_OF_ORDERS, *_POSITION_OF_ORDERS)),
        **dict.fromkeys(
            (
                "display_units",
                "lot_units",
                "moq_units",
                "pack_units",
                "cycle_fill_rate",
                "above_level_units",
                "max_stock_units",
                "shelf_life_units",
                "delisted_units",
                "review_units",
                "blocked_units",
                "supplier_minimum_units",
                "allocation_units",
                "budget_units",
                "value_of_last_money",
                "order_units",
                "stockout_probability_with_order",
                "expected_lost_units_with_order",
                "promised_cycle_service",
                "promised_fill_rate",
                "expected_waste_units",
                "explanation",
            ),
            _UNITS_OF_ORDERS,
        ),
        "blocked_reason": (*_UNITS_OF_ORDERS, "cleaned_features.is_new_item"),
        "order_value": (*_UNITS_OF_ORDERS, "inventory_positions.unit_cost"),
        "money_at_risk": (*_DEMAND_OF_ORDERS, *_POSITION_OF_ORDERS, "cleaned_features.unit_price"),
        "assumptions": (
            *(f"inventory_positions.{n}" for n in INVENTORY_POSITIONS.names if n.startswith("is_")),
            "cleaned_features.is_new_item",
            "inventory_positions.lead_time_sd_days",
        ),
        "revision": (*_UNITS_OF_ORDERS, "forecasts.model_version"),
    },
)

ORDER_EXCEPTIONS = Table(
    "order_exceptions",
    "One row per product x location x exception: what somebody should look at, with the money at risk.",
    ("day", "product_id", "location", "exception"),
    (
        _day("Forecast origin of the order"),
        PRODUCT,
        LOCATION,
        Column("product_name", TEXT, "Product's name"),
        Column("category", TEXT, "Product's category"),
        Column("supplier_id", TEXT, "Supplier; empty if not told"),
        Column(
            "exception",
            TEXT,
            "`stocked_out`, `potential_stockout`, `late_supplier_order`, `phantom_stock`, `forecast_break`, "
            "`order_blocked`, `surplus_on_order`, `excess_stock`, `expiry_risk`, `order_cut`, `order_raised`, "
            "`data_assumed`",
            nullable=False,
        ),
        Column(
            "exception_rank",
            WHOLE,
            "1 for the most money at risk of the day; then unknown money, then `data_assumed`",
            nullable=False,
            minimum=1,
        ),
        Column("number", REAL, "What the exception is measured by; empty where it is infinite"),
        Column("threshold", REAL, "What the number is beyond", nullable=False),
        Column("number_unit", TEXT, "Unit of both: `units`, `days`, `share`, `probability`, `terms`", nullable=False),
        Column("money_at_risk", REAL, "Sales or stock at risk; empty if price or cost is unknown", "money", minimum=0),
        Column("blocked_reason", TEXT, "Why the order is blocked; empty if it is not"),
        Column("action", TEXT, "What to do", nullable=False),
        Column("revision", TEXT, "Revision of the order row", nullable=False),
    ),
    # no sum: a line has several exceptions, and what a centre lacks its locations lose
    figures={"exceptions": "count(*)", "most_money_at_risk": 'max("money_at_risk")'},
    made_from=(
        *("reorder_recommendations", "open_orders", "daily_demand", "inventory_positions"),
        *("cleaned_features", "forecasts"),
    ),
    lineage={
        **{
            name: (f"reorder_recommendations.{name}",)
            for name in ("day", "product_id", "location", "product_name", "category", "supplier_id", "revision")
        },
        **dict.fromkeys(
            ("exception", "exception_rank", "number", "threshold", "number_unit", "action", "money_at_risk"),
            (
                *(
                    f"reorder_recommendations.{name}"
                    for name in (
                        *(
                            "on_hand",
                            "on_order_units",
                            "committed_units",
                            "surplus_units",
                            "order_units",
                            "net_requirement",
                        ),
                        *("stockout_probability_until_receipt", "expected_waste_units", "expected_demand"),
                        *("blocked_reason", "assumptions", "unit_price", "unit_cost"),
                    )
                ),
                *(f"open_orders.{name}" for name in ("due_date", "order_units", "is_assumed_received")),
                *(f"daily_demand.{name}" for name in ("demand_units", "is_open", "is_stockout")),
                *("inventory_positions.on_hand", "cleaned_features.zero_share_91", "forecasts.mean"),
            ),
        ),
    },
)

_TRANSFERS_FROM = (
    *(
        f"reorder_recommendations.{name}"
        for name in (
            *("supplied_by", "on_hand", "on_order_units", "order_up_to_level", "display_minimum", "max_stock"),
            *("expected_demand", "lead_time_days", "lead_time_sd_days", "service_level", "pack_size", "unit_cost"),
        )
    ),
    *("forecasts.mean", "network.minimum_transfer_value"),
)
TRANSFER_SUGGESTIONS = Table(
    "transfer_suggestions",
    "One row per product to move from a location with a surplus to one that may run out before an order arrives.",
    ("day", "product_id", "from_location", "to_location"),
    (
        _day("Forecast origin: the last day whose sales are known"),
        PRODUCT,
        Column("from_location", TEXT, "Location that has more than it needs", nullable=False),
        Column("to_location", TEXT, "Location that may run out", nullable=False),
        Column("product_name", TEXT, "Product's name"),
        Column("category", TEXT, "Product's category"),
        Column("supplied_by", TEXT, "Centre that supplies both", nullable=False),
        Column("transfer_units", REAL, "Units to move", "units", nullable=False, minimum=0),
        Column("pack_size", REAL, "Units per pack, of the location that gets them", "units", nullable=False, minimum=0),
        Column("transfer_value", REAL, "Those units at unit cost", "money", nullable=False, minimum=0),
        Column("arrival_date", DATE, "Day from which they can be sold, at opening", nullable=False),
        Column("receipt_date", DATE, "Day from which an order placed instead could be sold", nullable=False),
        Column(
            "expected_saved_units",
            REAL,
            "Expected demand until then that they serve and that would be lost: at least that",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column(
            "expected_saved_money",
            REAL,
            "Those units at the selling price; empty if the price is unknown",
            "money",
            minimum=0,
        ),
        Column("from_on_hand", REAL, "Units on hand where they come from", "units", nullable=False, minimum=0),
        Column(
            "kept_units",
            REAL,
            "Units which that location keeps at least: its level or display minimum, and the guard days' demand",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("to_inventory_position", REAL, "Units on hand and on order where they go to", "units", nullable=False),
        Column(
            "stockout_probability_until_receipt",
            REAL,
            "Probability of running out there before an order can be sold",
            nullable=False,
            minimum=0,
        ),
        Column(
            "stockout_probability_with_transfer",
            REAL,
            "The same with all that is to be moved there: at most that",
            nullable=False,
            minimum=0,
        ),
        Column("explanation", TEXT, "The transfer in one sentence", nullable=False),
    ),
    figures={"transfer_value": 'sum("transfer_value")', "expected_saved_money": 'sum("expected_saved_money")'},
    made_from=("reorder_recommendations", "forecasts", "cleaned_features", "network"),
    lineage={
        **{
            name: (f"reorder_recommendations.{name}",)
            for name in ("day", "product_id", "product_name", "category", "supplied_by", "pack_size", "receipt_date")
        },
        **dict.fromkeys(("from_location", "to_location"), ("reorder_recommendations.location", *_TRANSFERS_FROM)),
        **dict.fromkeys(
            (
                *("transfer_units", "transfer_value", "expected_saved_units", "explanation"),
                "stockout_probability_with_transfer",
            ),
            _TRANSFERS_FROM,
        ),
        "expected_saved_money": (*_TRANSFERS_FROM, "reorder_recommendations.unit_price"),
        "arrival_date": ("reorder_recommendations.day",),
        "from_on_hand": ("reorder_recommendations.on_hand",),
        "kept_units": tuple(
            f"reorder_recommendations.{name}" for name in ("order_up_to_level", "display_minimum", "expected_demand")
        ),
        "to_inventory_position": ("reorder_recommendations.inventory_position",),
        "stockout_probability_until_receipt": ("reorder_recommendations.stockout_probability_until_receipt",),
    },
)

_ERRORS = ("absolute_error_units", "wape", "bias", "mase", "rmsse")
_QUANTILE_ERRORS = (
    "wql",
    *(f"{measure}_{name}" for measure in ("wql", "coverage", "coverage_below") for name in QUANTILES),
)
BACKTEST = Table(
    "backtest",
    "One row per method x origin x segment x target: how forecasts from past days compare with what came.",
    ("method", "origin_date", "segment_kind", "segment", "target", "horizon"),
    (
        Column(
            "method",
            TEXT,
            "`model` (this code's recipe), `champion` (the champion's, if another), `seasonal_naive`, "
            "`moving_average_28`",
            nullable=False,
        ),
        Column("recipe", TEXT, "Name of the recipe that was fitted; empty for methods that are not fitted"),
        Column("origin_date", DATE, "Forecast origin: the last day whose sales the method saw", nullable=False),
        Column(
            "segment_kind",
            TEXT,
            "What series are told apart by: `all`, `abc` (share of sales value), `pattern` of demand, `category`, "
            "`location`",
            nullable=False,
        ),
        Column("segment", TEXT, "The segment, by what was known at the origin", nullable=False),
        Column(
            "target",
            TEXT,
            "`day`: demand of the day `horizon` ahead; `all_days`: every day up to it; `total`: their sum",
            nullable=False,
        ),
        Column("horizon", WHOLE, "Days from the origin to the (last) target day", "days", nullable=False, minimum=1),
        Column("series", WHOLE, "Series of the segment", nullable=False, minimum=1),
        Column("demand_units", REAL, "Demand that came", "units", nullable=False, minimum=0),
        Column("forecast_units", REAL, "Mean forecasts", "units", nullable=False, minimum=0),
        Column("absolute_error_units", REAL, "Sum of absolute errors of the mean", "units", nullable=False, minimum=0),
        Column("wape", REAL, "Absolute errors over demand; empty without demand", minimum=0),
        Column("bias", REAL, "Forecast less demand, over demand: positive for forecasts that are too high"),
        Column(
            "mase",
            REAL,
            "Mean of absolute errors, each over its series' mean change from week to week before the origin; empty for "
            "totals",
            minimum=0,
        ),
        Column("rmsse", REAL, "Mean of the series' root mean squared scaled errors; empty for totals", minimum=0),
        Column("wrmsse", REAL, "The same weighted by sales value of 28 days; empty without amounts", minimum=0),
        Column("wql", REAL, "Weighted quantile loss, mean of all quantiles; days out of stock left out", minimum=0),
        *(
            Column(f"wql_{name}", REAL, f"Weighted quantile loss of the {level:g} quantile", minimum=0)
            for name, level in QUANTILES.items()
        ),
        *(
            Column(f"coverage_{name}", REAL, f"Share of demands at or below their {level:g} quantile", minimum=0)
            for name, level in QUANTILES.items()
        ),
        *(
            Column(
                f"coverage_below_{name}",
                REAL,
                f"Share of demands below it: right if {level:g} lies between both shares",
                minimum=0,
            )
            for name, level in QUANTILES.items()
        ),
    ),
    is_daily=False,
    made_from=("cleaned_features", "daily_demand", "calendar"),
    lineage={
        "origin_date": ("cleaned_features.day",),
        "segment": (
            *("daily_demand.revenue", "cleaned_features.category", "cleaned_features.location"),
            *(f"cleaned_features.{name}_91" for name in ("demand_mean", "demand_sd", "zero_share")),
        ),
        "series": ("cleaned_features.product_id", "cleaned_features.location"),
        "demand_units": ("daily_demand.demand_units",),
        "forecast_units": _FORECAST_FROM,
        **dict.fromkeys(_ERRORS, ("daily_demand.demand_units", *_FORECAST_FROM)),
        "wrmsse": ("daily_demand.demand_units", "daily_demand.revenue", *_FORECAST_FROM),
        **dict.fromkeys(_QUANTILE_ERRORS, ("daily_demand.demand_units", "daily_demand.is_stockout", *_FORECAST_FROM)),
    },
)

_SIMULATED_FROM = (
    "daily_demand.demand_units",
    *(f"inventory_positions.{name}" for name in ("lead_time_days", "lead_time_sd_days", "pack_size")),
    *("inventory_positions.min_order_quantity", "inventory_positions.shelf_life_days"),
)
_SERVED = (
    *("sales_units", "lost_units", "waste_units", "average_on_hand_units", "order_lines", "stockout_days"),
    *("fill_rate", "mean_fill_rate"),
)
POLICY_SIMULATION = Table(
    "policy_simulation",
    "One row per order rule x value of its parameter x segment: service, stock and costs on past days.",
    ("rule", "parameter", "segment_kind", "segment"),
    (
        Column(
            "rule",
            TEXT,
            "How far a review raises the inventory position: `forecast` (the quantile of interval demand, as orders "
            "do), `days_of_supply` (of a 28-day average), `moving_average` (mean + z standard deviations of 28 days), "
            "`weekday_profile` (mean by weekday + z standard deviations of past interval errors), `perfect_foresight`",
            nullable=False,
        ),
        Column(
            "parameter",
            REAL,
            "The rule's one parameter: cycle service level, days of supply, or z; 0 for perfect foresight",
            nullable=False,
        ),
        Column("segment_kind", TEXT, "`all`, `abc` (share of sales value) or `pattern` of demand", nullable=False),
        Column("segment", TEXT, "The segment, by what was known at the training cutoff", nullable=False),
        Column(
            "training_cutoff",
            DATE,
            "Last day that the model behind the forecasts saw: the day before the first simulated one",
            nullable=False,
        ),
        Column("first_day", DATE, "First day that counts, after the warm-up", nullable=False),
        Column("last_day", DATE, "Last simulated day", nullable=False),
        Column("series", WHOLE, "Series of the segment", nullable=False, minimum=1),
        Column("demand_units", REAL, "Demand of the days that count", "units", nullable=False, minimum=0),
        Column("sales_units", REAL, "Demand that was served", "units", nullable=False, minimum=0),
        Column("lost_units", REAL, "Demand that was not", "units", nullable=False, minimum=0),
        Column("waste_units", REAL, "Units that expired", "units", nullable=False, minimum=0),
        Column(
            "average_on_hand_units",
            REAL,
            "On hand at the close of a day, on average",
            "units",
            nullable=False,
            minimum=0,
        ),
        Column("order_lines", REAL, "Orders of a series", "orders", nullable=False, minimum=0),
        Column("stockout_days", REAL, "Days of a series that closed without stock", "days", nullable=False, minimum=0),
        Column("fill_rate", REAL, "Share of the units demanded that were served; empty without demand", minimum=0),
        Column("mean_fill_rate", REAL, "Mean of the series' fill rates: every series counts the same", minimum=0),
        Column(
            "promised_fill_rate",
            REAL,
            "Fill rate that the forecasts told of these orders in advance; of three service levels only",
        ),
        Column(
            "cycle_service_level",
            REAL,
            "Share of protection intervals whose demand the level covered; the rule `forecast` promises `parameter`",
            minimum=0,
        ),
        Column("costed_series", WHOLE, "Series of known cost and price: costs are theirs", nullable=False, minimum=0),
        Column("holding_cost", REAL, "A quarter of the unit cost a year", "money", nullable=False, minimum=0),
        Column("lost_margin", REAL, "Price less cost of the units lost", "money", nullable=False, minimum=0),
        Column("order_cost", REAL, "Order lines at the cost told in the run's configuration", "money", nullable=False),
        Column("waste_cost", REAL, "Unit cost of the units wasted", "money", nullable=False, minimum=0),
    ),
    is_daily=False,
    made_from=("cleaned_features", "daily_demand", "calendar", "inventory_positions"),
    lineage={
        "segment": BACKTEST.lineage["segment"],
        **dict.fromkeys(("training_cutoff", "first_day", "last_day"), ("cleaned_features.day",)),
        "series": BACKTEST.lineage["series"],
        "demand_units": ("daily_demand.demand_units",),
        **dict.fromkeys(_SERVED, (*_SIMULATED_FROM, *_FORECAST_FROM)),
        "promised_fill_rate": _FORECAST_FROM,
        "cycle_service_level": ("daily_demand.demand_units", *_FORECAST_FROM),
        "costed_series": ("inventory_positions.unit_cost", "cleaned_features.unit_price"),
        **dict.fromkeys(("holding_cost", "waste_cost"), ("inventory_positions.unit_cost", *_SIMULATED_FROM)),
        "lost_margin": ("inventory_positions.unit_cost", "cleaned_features.unit_price", *_SIMULATED_FROM),
        "order_cost": _SIMULATED_FROM,
    },
)

# Its rows are remembered, not computed, so no run can mend them: a new column is nullable, and no type may change.
LANDING_FILES = Table(
    "landing_files",
    "One row per version of a landing file: the manifest.",
    ("file_key", "file_version"),
    (
        Column("file_key", TEXT, "Key of the file in the bucket", nullable=False),
        Column("file_version", TEXT, "Hash of its content (SHA-256, the first 32 digits)", nullable=False),
        Column("etag", TEXT, "The object store's own mark of that content", nullable=False),
        Column("kind", TEXT, "What it holds, the first folder of its key: sales, inventory, ...", nullable=False),
        Column("arrived_at", INSTANT, "When this version was first seen", nullable=False),
        Column("changed_at", INSTANT, "When its status last changed", nullable=False),
        Column("bytes", WHOLE, "Size", "bytes", nullable=False, minimum=0),
        Column("lines", WHOLE, "Records in it, the header not counted", "lines", nullable=False, minimum=0),
        Column("days", pa.list_(DATE), "Partitions its lines belong to", nullable=False),
        Column("file_day", DATE, "Partition of its lines without a usable date"),
        Column("separator", TEXT, "What separates its columns", nullable=False),
        Column("decimal_mark", TEXT, "Its decimal mark", nullable=False),
        Column("date_order", TEXT, "Its dates: `year_first` (ISO), `day_first` or `month_first`", nullable=False),
        Column(
            "unknown_columns", pa.list_(TEXT), "Columns of the file that the contract does not know", nullable=False
        ),
        Column(
            "status",
            TEXT,
            "`current`, `superseded` by a later version, `deleted`, or `refused` with `problem`",
            nullable=False,
        ),
        Column("problem", TEXT, "Why the whole file was refused"),
    ),
    is_daily=False,
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        LANDING_FILES,
        RAW_SALES,
        CLEANED_SALES,
        REJECTED_SALES,
        DAILY_DEMAND,
        CLEANED_FEATURES,
        CALENDAR,
        INVENTORY_COUNTS,
        PRODUCTS,
        SUPPLIERS,
        ITEM_LOCATIONS,
        ORDER_POLICIES,
        NETWORK,
        OPEN_ORDERS,
        INVENTORY_POSITIONS,
        CENTRE_STOCK,
        BACKTEST,
        POLICY_SIMULATION,
        FORECASTS,
        FORECAST_ACCURACY,
        REORDER_RECOMMENDATIONS,
        ORDER_EXCEPTIONS,
        TRANSFER_SUGGESTIONS,
    )
}


def columns_of(tables: Iterable[Table]) -> dict[str, set[pa.DataType]]:
    """Types under which each column name appears; the same name must mean the same quantity everywhere."""
    types: dict[str, set[pa.DataType]] = {}
    for table in tables:
        for column in table.columns:
            types.setdefault(column.name, set()).add(column.type)
    return types
