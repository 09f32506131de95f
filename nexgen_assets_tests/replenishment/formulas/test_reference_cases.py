"""Reference cases: numbers printed in textbooks or found with other libraries, with their sources in cases.json."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nexgen_assets.replenishment.formulas.base_stock import (
    base_stock_for_cycle_service,
    demand_over_random_lead_time,
    safety_stock_normal,
    sd_of_correlated_sum,
)
from nexgen_assets.replenishment.formulas.budget import Allocation, BudgetLine, allocate_budget, exchange_packs
from nexgen_assets.replenishment.formulas.censored import (
    normal_moments_of_censored_sales,
    poisson_mean_of_censored_sales,
)
from nexgen_assets.replenishment.formulas.disruptions import newsvendor_with_disruptions
from nexgen_assets.replenishment.formulas.distributions import (
    Demand,
    Discrete,
    Lognormal,
    NegativeBinomial,
    Normal,
    Poisson,
)
from nexgen_assets.replenishment.formulas.echelons import Stage, pooled_safety_stock, serial_base_stock
from nexgen_assets.replenishment.formulas.fill_rates import (
    continuous_base_stock_fill_rate,
    order_up_to_level_for_fill_rate,
    periodic_review_fill_rate,
    s_q_fill_rate,
    s_q_safety_stock_for_fill_rate,
)
from nexgen_assets.replenishment.formulas.kpis import stock_kpis
from nexgen_assets.replenishment.formulas.loss import (
    Loss,
    discrete_loss,
    gamma_loss,
    poisson_loss,
    standard_normal_loss,
)
from nexgen_assets.replenishment.formulas.lost_sales import lost_sales_base_stock
from nexgen_assets.replenishment.formulas.lot_sizes import (
    eoq,
    eoq_with_backorders,
    eoq_with_incremental_discount,
    joint_replenishment,
    wagner_whitin,
)
from nexgen_assets.replenishment.formulas.newsvendor import newsvendor, newsvendor_cost, newsvendor_profit
from nexgen_assets.replenishment.formulas.perishables import batch_waste, newsvendor_perishable
from nexgen_assets.replenishment.formulas.r_q import (
    ContinuousReview,
    ReorderPolicy,
    r_q_cost,
    r_q_eoq_plus_safety_stock,
    r_q_expected_inventory_level,
    r_q_loss_function,
    r_q_optimal_poisson,
)
from nexgen_assets.replenishment.formulas.rounding import round_order, round_to_pack_by_cost
from nexgen_assets.replenishment.formulas.s_s import s_s_cost, s_s_optimal, s_s_power_approximation
from nexgen_assets.replenishment.formulas.segmentation import abc_class, demand_pattern

Numbers = dict[str, Any]
CASES = json.loads(Path(__file__).with_name("cases.json").read_text())
COSTS = ("holding_cost", "stockout_cost")


def pick(inputs: Numbers, *names: str) -> Numbers:
    return {name: inputs[name] for name in names if name in inputs}


def keyed_by_number(pmf: dict[str, float]) -> dict[float, float]:
    return {float(value): probability for value, probability in pmf.items()}


def losses(loss: Loss) -> Numbers:
    return vars(loss)


def newsvendor_of(demand: Demand, i: Numbers) -> Numbers:
    return vars(newsvendor(demand, **pick(i, *COSTS, "lead_time", "base_stock_level")))


def explicit_newsvendor(i: Numbers) -> Numbers:
    return vars(
        newsvendor_profit(
            Normal(i["demand_mean"], i["demand_sd"]), **pick(i, "revenue", "purchase_cost", "salvage_value")
        )
    )


def continuous_review(i: Numbers) -> ContinuousReview:
    demand = Normal(i["demand_mean"], i["demand_sd"]) if "demand_sd" in i else Poisson(i["demand_mean"])
    return ContinuousReview(demand, **pick(i, *COSTS, "fixed_cost", "lead_time"))


def r_and_q(policy: ReorderPolicy) -> Numbers:
    return {"r": policy.reorder_point, "Q": policy.order_quantity, "cost": policy.cost}


def exact_s_s(i: Numbers) -> Numbers:
    policy = s_s_optimal(Poisson(i["demand_mean"]), **pick(i, *COSTS, "fixed_cost"))
    return {"s": policy.reorder_point, "S": policy.order_up_to_level, "cost": policy.cost}


def cost_of_s_s(i: Numbers) -> Numbers:
    levels = i["reorder_point"], i["order_up_to_level"]
    return {"cost": s_s_cost(Poisson(i["demand_mean"]), *levels, **pick(i, *COSTS, "fixed_cost"))}


def power_approximation(i: Numbers) -> Numbers:
    levels = s_s_power_approximation(**i)
    return {"s": levels.reorder_point, "S": levels.order_up_to_level}


def base_stock(demand: Demand, cycle_service_level: Any) -> Numbers:
    found = base_stock_for_cycle_service(demand, cycle_service_level)
    return {
        "S": found.order_up_to_level,
        "achieved_csl": found.cycle_service_level,
        "safety_stock": found.safety_stock,
        "expected_shortage_end_of_interval": found.expected_shortage,
    }


def base_stock_negative_binomial(i: Numbers) -> Numbers:
    daily = NegativeBinomial(i["daily_mean"], i["daily_variance"])
    comonotonic = i["protection_days"] * daily.quantile(i["csl"])
    return base_stock(daily.over(i["protection_days"]), i["csl"]) | {"sum_of_daily_quantiles": comonotonic}


def random_lead_time(i: Numbers) -> Numbers:
    daily = Poisson(i["demand_mean_per_day"])
    demand = demand_over_random_lead_time(daily, keyed_by_number(i["lead_time_pmf"]), i["review_days"])
    approximation = Normal(demand.mean, np.sqrt(demand.variance)).quantile(i["csl"])
    moments = {"mean": demand.mean, "variance": demand.variance, "normal_approx_S": approximation}
    return base_stock(demand, i["csl"]) | moments


def safety_stock(i: Numbers) -> Numbers:
    found = safety_stock_normal(
        **pick(i, "demand_mean", "demand_sd", "lead_time_mean", "lead_time_sd", "review_period"),
        cycle_service_level=i["csl"],
    )
    return vars(found) | {"k": found.safety_factor, "reorder_or_order_up_to_level": found.level}


def s_q_service(i: Numbers) -> Numbers:
    demand = Normal(i["lead_time_demand_mean"], i["lead_time_demand_sd"])
    found = s_q_fill_rate(demand, **pick(i, "order_quantity", "safety_stock"))
    return vars(found) | {"csl": found.cycle_service_level}


def s_q_safety_stock(i: Numbers) -> Numbers:
    waiting, lost = (s_q_safety_stock_for_fill_rate(**i, lost_sales=lost) for lost in (False, True))
    return {
        "k_backorder": waiting.safety_factor,
        "ss_backorder": waiting.safety_stock,
        "k_lost_sales": lost.safety_factor,
        "ss_lost_sales": lost.safety_stock,
    }


def periodic_service(i: Numbers) -> Numbers:
    found = periodic_review_fill_rate(
        Poisson(i["demand_mean_per_day"]), **pick(i, "lead_time", "review_period"), order_up_to_level=i["S"]
    )
    return {"fill_rate": found.fill_rate, "end_of_cycle_csl": found.cycle_service_level}


def level_for_fill_rate(i: Numbers) -> Numbers:
    found = order_up_to_level_for_fill_rate(
        Normal(i["demand_mean_per_day"], i["demand_sd_per_day"]),
        **pick(i, "lead_time", "review_period", "target_fill_rate"),
    )
    return {"S": found.order_up_to_level, "equivalent_csl": found.cycle_service_level}


def correlated_sum(i: Numbers) -> Numbers:
    of_rho = {"sd_sum": i["rho"], "sqrt_rule": 0.0, "comonotonic": 1.0}
    return {name: sd_of_correlated_sum(i["daily_sd"], rho, i["protection_days"]) for name, rho in of_rho.items()}


def waste(i: Numbers) -> Numbers:
    found = batch_waste(Poisson(i["demand_mean_per_day"]).over(i["shelf_life_days"]), i["batch"])
    return vars(found) | {"prob_any_waste": found.probability_of_waste}


def perishable(i: Numbers) -> Numbers:
    demand = Poisson(i["demand_mean_over_shelf_life"])
    return vars(
        newsvendor_perishable(demand, price=i["price"], purchase_cost=i["cost"], disposal_cost=i["disposal_cost"])
    )


def rounded(i: Numbers) -> Numbers:
    most = np.inf if i["max_order_qty"] is None else i["max_order_qty"]
    order = round_order(i["net_need"], min_order_quantity=i["moq"], pack_size=i["pack_size"], max_order_quantity=most)
    return {"order_quantity": order.order_units}


def rounded_by_cost(i: Numbers) -> Numbers:
    demand = Poisson(i["protection_demand_mean"])
    found = round_to_pack_by_cost(
        i["order_up_to"],
        i["inventory_position"],
        pack_size=i["pack_size"],
        cost=lambda level: newsvendor_cost(demand, level, **pick(i, *COSTS)),
    )
    return {
        "down_qty": found.down_units,
        "down_cost": found.down_cost,
        "up_qty": found.up_units,
        "up_cost": found.up_cost,
        "best_qty": found.best_units,
    }


def bought(allocation: Allocation) -> Numbers:
    return {name: getattr(allocation, name) for name in ("quantities", "spend", "expected_gain")}


def allocated(i: Numbers) -> Numbers:
    lines = [
        BudgetLine(item["sku"], Poisson(item["mean"]), item["ip"], item["cost"], item["margin"], item["over"])
        for item in i["items"]
    ]
    greedy = allocate_budget(lines, i["budget"])
    exchanged = exchange_packs(lines, greedy, i["budget"])
    return bought(greedy) | {
        "first_ten_picks": [pack.sku for pack in greedy.purchases[:10]],
        "brute_force_optimum": bought(exchanged),
        "greedy_gap_pct": 100 * (1 - greedy.expected_gain / exchanged.expected_gain),
        "equals_brute_force": greedy.quantities == exchanged.quantities,
    }


def censored_poisson(i: Numbers) -> Numbers:
    found = poisson_mean_of_censored_sales(i["sales"], i["stockout"])
    return {
        "lambda_mle": found.mean,
        "naive_mean_all_days": found.naive_mean,
        "mean_of_uncensored_days": found.in_stock_mean,
    }


def abc(i: Numbers) -> Numbers:
    classes = abc_class(np.array(list(i["revenue"].values())), i["cut_a"], i["cut_b"])
    return {"classes": dict(zip(i["revenue"], classes.tolist(), strict=True))}


def patterns(i: Numbers) -> Numbers:
    interval, variation = (np.array([case[name] for case in i["cases"]]) for name in ("adi", "cv2"))
    return {"classes": demand_pattern(interval, variation, i["adi_cut"], i["cv2_cut"]).tolist()}


def serial(i: Numbers) -> Numbers:
    names = sorted(i["lead_times"])
    found = serial_base_stock(
        Normal(i["demand_mean"], i["demand_sd"]),
        [Stage(i["lead_times"][name], i["echelon_holding_costs"][name]) for name in names],
        stockout_cost=i["stockout_cost"],
    )
    return {"echelon_S": dict(zip(names, found.echelon_base_stock_levels, strict=True)), "cost": found.cost}


def pooled(i: Numbers) -> Numbers:
    found = [
        pooled_safety_stock([i["daily_sd"]] * i["stores"], rho, lead_time=i["lead_time"], cycle_service_level=i["csl"])
        for rho in i["correlation"]
    ]
    return {
        "decentralised_ss": found[0].decentralised,
        "centralised_ss": [stock.centralised for stock in found],
    }


def disrupted(i: Numbers) -> Numbers:
    found = newsvendor_with_disruptions(**i)
    return {"S": found.base_stock_level, "cost": found.cost}


def kpis(i: Numbers) -> Numbers:
    found = stock_kpis(**i)
    return vars(found) | {
        "days_of_supply_hist": found.days_of_supply,
        "gmroi_annualised": found.annualised_gmroi,
        "waste_rate_of_supply": found.waste_rate,
    }


ANSWERS: dict[str, Callable[[Numbers], Numbers]] = {
    "standard_normal_loss": lambda i: losses(standard_normal_loss(i["z"])),
    "poisson_loss": lambda i: losses(poisson_loss(i["x"], i["mean"])),
    "gamma_loss": lambda i: losses(gamma_loss(i["x"], i["shape"], i["scale"])),
    "discrete_loss": lambda i: losses(discrete_loss(i["x"], keyed_by_number(i["pmf"]))),
    "newsvendor_normal": lambda i: newsvendor_of(Normal(i["demand_mean"], i["demand_sd"]), i),
    "newsvendor_normal_explicit": explicit_newsvendor,
    "newsvendor_poisson": lambda i: newsvendor_of(Poisson(i["demand_mean"]), i),
    "newsvendor_discrete": lambda i: newsvendor_of(Discrete(keyed_by_number(i["pmf"])), i),
    "newsvendor_lognormal": lambda i: newsvendor_of(Lognormal(i["mu_log"], i["sigma_log"]), i),
    "eoq": lambda i: vars(eoq(**i)),
    "eoqb": lambda i: vars(eoq_with_backorders(**i)),
    "eoq_incremental_discount": lambda i: vars(eoq_with_incremental_discount(**i)),
    "jrp_silver_1976": lambda i: vars(joint_replenishment(**i)),
    "wagner_whitin": lambda i: vars(wagner_whitin(i["demand"], **pick(i, "fixed_cost", "holding_cost"))),
    "r_q_cost": lambda i: {"cost": r_q_cost(i["reorder_point"], i["order_quantity"], continuous_review(i))},
    "r_q_eil": lambda i: r_and_q(r_q_expected_inventory_level(continuous_review(i))),
    "r_q_eoq_plus_ss": lambda i: r_and_q(r_q_eoq_plus_safety_stock(continuous_review(i))),
    "r_q_loss_function": lambda i: r_and_q(r_q_loss_function(continuous_review(i))),
    "r_q_poisson_exact": lambda i: r_and_q(r_q_optimal_poisson(continuous_review(i))),
    "s_s_discrete_exact_poisson": exact_s_s,
    "s_s_cost_discrete_poisson": cost_of_s_s,
    "s_s_power_approximation": power_approximation,
    "s_s_power_approximation_leadtime": power_approximation,
    "csl_base_stock_poisson": lambda i: base_stock(
        Poisson(i["demand_mean_per_day"]).over(i["protection_days"]), i["csl"]
    ),
    "csl_base_stock_negbin_independent_days": base_stock_negative_binomial,
    "empirical_quantile_base_stock": lambda i: base_stock(
        Discrete.of_samples(i["sample_paths_totals"]), np.array(i["csl"])
    ),
    "base_stock_poisson_random_leadtime": random_lead_time,
    "safety_stock_normal": safety_stock,
    "fill_rate_sQ_normal": s_q_service,
    "safety_factor_for_fill_rate_sQ": s_q_safety_stock,
    "fill_rate_RS_poisson_backorder": periodic_service,
    "order_up_to_for_fill_rate_RS_normal": level_for_fill_rate,
    "fill_rate_continuous_base_stock_poisson": lambda i: {
        "fill_rate": continuous_base_stock_fill_rate(Poisson(i["demand_mean"]).over(i["lead_time"]), i["S"])
    },
    "base_stock_lost_sales_L1_poisson": lambda i: vars(
        lost_sales_base_stock(Poisson(i["demand_mean_per_day"]), i["S"])
    ),
    "sd_of_sum_ar1": correlated_sum,
    "expected_waste_single_batch_poisson": waste,
    "newsvendor_perishable": perishable,
    "round_order_up": rounded,
    "cost_based_pack_rounding_poisson": rounded_by_cost,
    "greedy_marginal_allocation_poisson": allocated,
    "poisson_censored_mle": censored_poisson,
    "normal_censored_mle_tobit": lambda i: vars(normal_moments_of_censored_sales(i["sales"], i["stockout"])),
    "abc_pareto_80_95": abc,
    "syntetos_boylan_quadrant": patterns,
    "serial_base_stock_clark_scarf": serial,
    "risk_pooling_square_root": pooled,
    "newsvendor_with_disruptions": disrupted,
    "stock_kpis": kpis,
}


def assert_equals(found: Any, expected: Any, tolerance: Numbers, where: str) -> None:
    """Numbers within the case's tolerance, all else equal; of a mapping only what the case tells."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            assert_equals(found[name], value, tolerance, f"{where}.{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_equals(one, other, tolerance, f"{where}[{number}]")
    elif isinstance(expected, int | float) and not isinstance(expected, bool):
        scale = max(1.0, abs(expected)) if tolerance["kind"] == "rel" else 1.0
        assert abs(found - expected) <= tolerance["value"] * scale, f"{where}: {found}, expected {expected}"
    else:
        assert found == expected, where


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_reference_case(case: Numbers) -> None:
    assert_equals(ANSWERS[case["function"]](case["inputs"]), case["expected"], case["tolerance"], case["id"])
