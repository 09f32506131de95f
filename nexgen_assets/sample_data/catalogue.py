"""The products of the invented grocery chain: names, prices, pace of sale and supply, and who buys them.

What belongs here: facts about the invented chain, as data. What does not: days, sales or files (`generator.py`).
"""

from dataclasses import dataclass
from typing import Literal

Role = Literal["regular", "intermittent", "launched", "discontinued"]


@dataclass(frozen=True)
class Product:
    """One product of the chain; `daily_units` is its usual demand per day in a store of average size."""

    product_id: str
    name: str
    category: str
    price_cents: int
    daily_units: float
    peak_day: int
    """Day of the year of its highest season."""
    season_strength: float
    """Swing of the season around the mean, as a share of it."""
    weekend_strength: float
    """How much more is sold on Saturday than on Tuesday, as a share."""
    yearly_growth: float
    lead_time_days: int
    pack_size: int
    shelf_life_days: int | None
    role: Role


@dataclass(frozen=True)
class Category:
    """What the products of a category have in common."""

    name: str
    peak_day: int
    season_strength: float
    weekend_strength: float
    lead_time_days: int
    shelf_life_days: int | None


CATEGORIES = {
    category.name: category
    for category in (
        Category("Dairy", 30, 0.08, 0.25, 2, 14),
        Category("Bakery", 350, 0.10, 0.45, 1, 4),
        Category("Produce", 190, 0.30, 0.35, 2, 7),
        Category("Beverages", 200, 0.45, 0.50, 4, None),
        Category("Frozen", 195, 0.35, 0.30, 5, 270),
        Category("Pantry", 330, 0.15, 0.20, 5, None),
        Category("Snacks", 345, 0.20, 0.55, 4, 180),
        Category("Household", 100, 0.06, 0.30, 7, None),
        Category("Personal care", 180, 0.10, 0.20, 7, None),
        Category("Meat", 185, 0.20, 0.60, 2, 6),
    )
}

# name, category, price in cents, usual units per day and store; the mix repeats if more products are asked for
_RANGE: tuple[tuple[str, str, int, float], ...] = (
    ("Whole milk 1 gal", "Dairy", 389, 11.0),
    ("Bananas 1 lb", "Produce", 69, 12.0),
    ("White bread 20 oz", "Bakery", 279, 7.5),
    ("Cola 12 x 12 oz", "Beverages", 799, 6.0),
    ("Potato chips 8 oz", "Snacks", 429, 5.0),
    ("Ground beef 1 lb", "Meat", 599, 4.5),
    ("Spaghetti 16 oz", "Pantry", 189, 3.5),
    ("Vanilla ice cream 48 oz", "Frozen", 549, 2.6),
    ("Paper towels 6 rolls", "Household", 1099, 1.8),
    ("Toothpaste 5 oz", "Personal care", 399, 1.2),
    ("Plain yogurt 32 oz", "Dairy", 449, 3.2),
    ("Cheddar 8 oz", "Dairy", 379, 3.0),
    ("Eggs 12 large", "Dairy", 329, 8.5),
    ("Tomatoes 1 lb", "Produce", 249, 5.5),
    ("Iceberg lettuce", "Produce", 199, 3.6),
    ("Strawberries 16 oz", "Produce", 399, 3.4),
    ("Bagels 6 pack", "Bakery", 349, 2.4),
    ("Cinnamon rolls 4 pack", "Bakery", 499, 1.1),
    ("Sparkling water 8 x 12 oz", "Beverages", 499, 3.0),
    ("Orange juice 52 oz", "Beverages", 449, 2.8),
    ("Ground coffee 12 oz", "Beverages", 899, 1.6),
    ("Frozen pizza 22 oz", "Frozen", 649, 2.2),
    ("Frozen peas 12 oz", "Frozen", 219, 1.4),
    ("Basmati rice 5 lb", "Pantry", 999, 0.9),
    ("Canned tomatoes 28 oz", "Pantry", 229, 2.6),
    ("Olive oil 17 oz", "Pantry", 1049, 0.8),
    ("Saffron threads 0.02 oz", "Pantry", 1299, 0.12),
    ("Peanut butter 16 oz", "Pantry", 359, 1.5),
    ("Chocolate bar 3.5 oz", "Snacks", 249, 3.3),
    ("Salted almonds 10 oz", "Snacks", 749, 1.0),
    ("Tortilla chips 12 oz", "Snacks", 399, 2.1),
    ("Laundry detergent 92 oz", "Household", 1299, 0.9),
    ("Dish soap 19 oz", "Household", 329, 1.1),
    ("Light bulbs 4 pack", "Household", 899, 0.25),
    ("Furnace filter 16 x 20", "Household", 1499, 0.1),
    ("Shampoo 12 oz", "Personal care", 599, 0.8),
    ("Hand soap 7.5 oz", "Personal care", 279, 1.3),
    ("Travel sewing kit", "Personal care", 549, 0.07),
    ("Chicken breast 1 lb", "Meat", 449, 4.2),
    ("Bacon 12 oz", "Meat", 699, 2.0),
)

CUSTOMER_SEGMENTS: dict[str, float] = {"family": 0.35, "budget": 0.25, "senior": 0.18, "premium": 0.12, "student": 0.10}
SEGMENT_INCOME: dict[str, int] = {
    "family": 72_000,
    "budget": 38_000,
    "senior": 51_000,
    "premium": 140_000,
    "student": 21_000,
}
_CITIES = ("Springfield", "Riverside", "Franklin", "Greenville", "Fairview", "Salem", "Madison", "Georgetown")


def assortment(products: int) -> list[Product]:
    """The first `products` products of the chain, in a fixed order; roles recur every tenth place."""
    return [_product(place) for place in range(products)]


def location_names(locations: int) -> list[str]:
    """Names of the stores: cities, numbered from the second round on."""
    rounds = (divmod(place, len(_CITIES)) for place in range(locations))
    return [_CITIES[city] if not repeat else f"{_CITIES[city]} {repeat + 1}" for repeat, city in rounds]


def _product(place: int) -> Product:
    repeat, line = divmod(place, len(_RANGE))
    name, category_name, price_cents, daily_units = _RANGE[line]
    category = CATEGORIES[category_name]
    return Product(
        # the leading zero is part of the identity
        product_id=f"{10_001 + place:06d}",
        name=name if not repeat else f"{name} (brand {repeat + 1})",
        category=category.name,
        price_cents=price_cents,
        daily_units=daily_units,
        peak_day=category.peak_day,
        season_strength=category.season_strength,
        weekend_strength=category.weekend_strength,
        yearly_growth=(-0.08, 0.0, 0.05, 0.12, 0.02)[place % 5],
        lead_time_days=category.lead_time_days,
        pack_size=1 if daily_units < 0.5 else 6 if daily_units < 3 else 12,
        shelf_life_days=category.shelf_life_days,
        role=_role(place, daily_units),
    )


def _role(place: int, daily_units: float) -> Role:
    if daily_units < 0.3:
        return "intermittent"
    if place % 10 == 5:
        return "launched"
    return "discontinued" if place % 10 == 7 else "regular"
