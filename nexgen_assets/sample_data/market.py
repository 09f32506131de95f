"""What customers of the invented chain want each day, and what the chain does about it: prices, promotions, stock.

What belongs here: the latent demand per product x location x day and its causes. What does not: sales lines and files.

Arrays are product x location x day unless said otherwise. Randomness comes from named streams of one seed, so that
a change in one cause leaves the others as they were.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import holidays
import numpy as np
from numpy.typing import NDArray

from nexgen_assets.sample_data.catalogue import Product
from nexgen_assets.sample_data.stock import StockPath, simulate_stock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

PLANNED_DAYS = 28
WEATHER = ("sunny", "cloudy", "rain", "snow")
CLOSED_ON = "Christmas Day"
BUSY_EVES = ("Thanksgiving Day", "Christmas Day", "Independence Day")
PLANNER_LOOKS_AHEAD_DAYS = 10
# leaves about 3 days in 100 with unmet demand
SAFETY_FACTOR = 2.5


@dataclass(frozen=True)
class Promotion:
    """One price promotion: days `start`..`end` (indices, inclusive), everywhere if `location` is None."""

    product: int
    location: int | None
    start: int
    end: int
    price_cut: float
    uplift: float


@dataclass(frozen=True)
class Market:
    """All that happened in the chain, known in full."""

    calendar: "Calendar"
    products: list[Product]
    locations: list[str]
    promotions: list[Promotion]
    is_listed: Flags
    """product x day"""
    is_promotion: Flags
    price_cents: Ints
    weather: Ints
    """location x day, index into WEATHER"""
    supplier_delay: Ints
    """product x day: days by which an order of that day is late"""
    demand: Ints
    sold: Ints
    on_hand: Ints


@dataclass(frozen=True)
class Calendar:
    """The days of the sample, counted from 0."""

    first_day: date
    days: int

    def day(self, index: int) -> date:
        return self.first_day + timedelta(days=index)

    @cached_property
    def dates(self) -> NDArray[np.datetime64]:
        return np.datetime64(self.first_day, "D") + np.arange(self.days)

    @cached_property
    def weekday(self) -> Ints:
        """Monday is 0."""
        return (self.dates.astype(np.int64) + 3) % 7

    @cached_property
    def day_of_year(self) -> Ints:
        return (self.dates - self.dates.astype("datetime64[Y]")).astype(np.int64)

    @cached_property
    def holiday_names(self) -> list[str | None]:
        years = range(self.first_day.year, self.day(self.days).year + 1)
        named = holidays.country_holidays("US", years=years)
        return [named.get(self.day(index)) for index in range(self.days)]

    @cached_property
    def is_open(self) -> Flags:
        return np.array([name is None or CLOSED_ON not in name.split("; ") for name in self.holiday_names])


def random_stream(seed: int, name: str) -> np.random.Generator:
    """Random numbers of one cause, independent of every other cause's."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *name.encode()])))


def run_market(calendar: Calendar, products: list[Product], locations: list[str], seed: int) -> Market:
    """Let the chain trade: plan promotions and prices, draw demand, let the stock censor it."""
    is_listed = _listing(calendar, products)
    promotions = _plan_promotions(calendar, products, len(locations), is_listed, seed)
    shape = (len(products), len(locations), calendar.days)
    is_promotion, price_factor, uplift = _promotion_effects(promotions, shape)
    weather = _weather(calendar, len(locations), seed)
    plain = _plain_demand(calendar, products, len(locations), seed)
    mean = plain * uplift * _store_traffic(calendar, weather) * is_listed[:, None, :]
    demand = _draw_demand(mean, products, seed)
    delay = _supplier_delay(len(products), calendar.days, seed)
    stock = _trade(demand, plain * is_listed[:, None, :], products, delay)
    return Market(
        calendar=calendar,
        products=products,
        locations=locations,
        promotions=promotions,
        is_listed=is_listed,
        is_promotion=is_promotion,
        price_cents=_prices(calendar, products, price_factor),
        weather=weather,
        supplier_delay=delay,
        demand=demand,
        sold=stock.sold.reshape(shape),
        on_hand=stock.on_hand.reshape(shape),
    )


def _listing(calendar: Calendar, products: list[Product]) -> Flags:
    """product x day: launched products come in the middle half of the period, discontinued ones leave in it."""
    day = np.arange(calendar.days)
    change = [calendar.days * (25 + 17 * place % 51) // 100 for place in range(len(products))]
    rules = {"launched": lambda at: day >= at, "discontinued": lambda at: day < at}
    always = np.ones(calendar.days, dtype=bool)
    return np.array(
        [rules[p.role](at) if p.role in rules else always for p, at in zip(products, change, strict=True)], dtype=bool
    )


def _plan_promotions(
    calendar: Calendar, products: list[Product], locations: int, is_listed: Flags, seed: int
) -> list[Promotion]:
    """About one promotion of a week in 50 days per regular product, planned PLANNED_DAYS beyond the last day."""
    random = random_stream(seed, "promotions")
    planned = calendar.days + PLANNED_DAYS
    plan: list[Promotion] = []
    for place, product in enumerate(products):
        start = int(random.integers(0, 50))
        while start < planned:
            chosen = Promotion(
                product=place,
                location=int(random.integers(locations)) if random.random() < 0.25 else None,
                start=start,
                end=min(start + 6, planned - 1),
                price_cut=float(random.choice([0.15, 0.2, 0.25, 0.33])),
                uplift=float(random.uniform(1.4, 2.6)),
            )
            if product.role != "intermittent" and is_listed[place, min(start, calendar.days - 1)]:
                plan.append(chosen)
            start += int(random.integers(30, 71))
    return plan


def _promotion_effects(promotions: list[Promotion], shape: tuple[int, int, int]) -> tuple[Flags, Floats, Floats]:
    """Whether a promotion runs, the factor on the price, the factor on demand."""
    is_promotion, price_factor, uplift = np.zeros(shape, dtype=bool), np.ones(shape), np.ones(shape)
    for promotion in promotions:
        where = slice(None) if promotion.location is None else promotion.location
        cells = (promotion.product, where, slice(promotion.start, promotion.end + 1))
        is_promotion[cells] = True
        price_factor[cells] = 1 - promotion.price_cut
        uplift[cells] = promotion.uplift
    return is_promotion, price_factor, uplift


def _plain_demand(calendar: Calendar, products: list[Product], locations: int, seed: int) -> Floats:
    """Mean demand without promotions, weather and holidays: pace x store x season x weekday x growth."""
    store_size = random_stream(seed, "stores").uniform(0.55, 1.35, locations)

    def of(attribute: str) -> Floats:
        return np.array([getattr(product, attribute) for product in products], dtype=float)[:, None]

    season = 1 + of("season_strength") * np.cos(2 * np.pi * (calendar.day_of_year - of("peak_day")) / 365.25)
    # Monday to Sunday, from the quietest day (0) to the busiest (1)
    busy = np.array([0.15, 0.0, 0.1, 0.25, 0.65, 1.0, 0.8])[calendar.weekday]
    weekday = 1 + of("weekend_strength") * (busy - busy.mean())
    growth = (1 + of("yearly_growth")) ** (np.arange(calendar.days) / 365.25)
    return (of("daily_units") * season * weekday * growth)[:, None, :] * store_size[:, None]


def _store_traffic(calendar: Calendar, weather: Ints) -> Floats:
    """location x day factor: bad weather keeps customers away, the days before a feast bring them, closed is 0."""
    eve = np.ones(calendar.days)
    for index, name in enumerate(calendar.holiday_names):
        if name is not None and set(name.split("; ")) & set(BUSY_EVES):
            eve[max(index - 3, 0) : index] = 1.35
    return np.array([1.03, 1.0, 0.95, 0.85])[weather] * eve * calendar.is_open


def _weather(calendar: Calendar, locations: int, seed: int) -> Ints:
    """Weather by season: snow only in winter."""
    draw = random_stream(seed, "weather").random((locations, calendar.days))
    winter = np.cos(2 * np.pi * calendar.day_of_year / 365.25)
    likely = np.array([0.5 - 0.15 * winter, 0.25 + 0 * winter, 0.25 - 0.1 * np.maximum(winter, 0)])
    return (draw[None] > np.cumsum(likely, axis=0)[:, None, :]).sum(axis=0).clip(0, _coldest(winter))


def _coldest(winter: Floats) -> Ints:
    return np.where(winter > 0.3, WEATHER.index("snow"), WEATHER.index("rain"))


def _draw_demand(mean: Floats, products: list[Product], seed: int) -> Ints:
    """Negative binomial with variance mean + 0.15 mean^2; intermittent products sell in rare lots of about 3."""
    random = random_stream(seed, "demand")
    rates = random.gamma(1 / 0.15, 0.15, mean.shape) * mean
    demand = random.poisson(rates)
    lot = 3.0
    has_lot = random.random(mean.shape) < mean / lot
    lots = np.where(has_lot, 1 + random.poisson(lot - 1, mean.shape), 0)
    is_intermittent = np.array([product.role == "intermittent" for product in products])[:, None, None]
    return np.where(is_intermittent, lots, demand).astype(np.int64)


def _supplier_delay(products: int, days: int, seed: int) -> Ints:
    return random_stream(seed, "delay").choice(5, p=[0.82, 0.08, 0.05, 0.03, 0.02], size=(products, days))


def _trade(demand: Ints, plain: Floats, products: list[Product], delay: Ints) -> StockPath:
    """Run the stock of every product x location; the planner knows season and listing, not the promotions."""
    count, locations, days = demand.shape
    ahead = np.minimum(np.arange(days) + PLANNER_LOOKS_AHEAD_DAYS, days - 1)

    def per_series(attribute: str) -> Ints:
        return np.repeat(np.array([getattr(product, attribute) for product in products], dtype=np.int64), locations)

    return simulate_stock(
        demand.reshape(-1, days),
        plain[:, :, ahead].reshape(-1, days),
        lead_time=per_series("lead_time_days"),
        pack_size=per_series("pack_size"),
        first_review=np.tile(np.arange(locations), count) % 7,
        safety_factor=SAFETY_FACTOR,
        delay=np.repeat(delay, locations, axis=0),
    )


def _prices(calendar: Calendar, products: list[Product], price_factor: Floats) -> Ints:
    """Cents: the list price, 2 % higher each half-year, less the promotion's cut; never below one cent."""
    listed = np.array([product.price_cents for product in products])[:, None]
    risen = listed * 1.02 ** (np.arange(calendar.days) // 182)
    return np.maximum(np.rint(risen[:, None, :] * price_factor), 1).astype(np.int64)
