"""The formulas of inventory theory: pure functions of numbers and of demand distributions, a module per idea.

What belongs here: textbook formulas, each with its source and units. What does not: tables, texts, assets, and what
NexGen makes of them every day (`policy.py`, `orders.py`). `docs/replenishment-formulas.md` lists them all.

Conventions: a period is the unit of time of the demand that is passed in (a day, a year), and every cost is money per
that unit of time. Arguments that are arrays broadcast against each other. What cannot be meant raises ValueError.
"""
