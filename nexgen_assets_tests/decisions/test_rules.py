"""The rules of decisions: what may follow what, who may do it, and which units can be ordered."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.decisions.rules import (
    FIRM,
    RULES,
    Action,
    DecisionError,
    Role,
    State,
    person,
    require_reason,
    require_role,
    require_state,
    require_units,
)
from nexgen_assets_tests.decisions.proposals import MILK

POSSIBLE = {
    Action.ACCEPT: {"proposed", "accepted", "changed"},
    Action.CHANGE: {"proposed", "accepted", "changed"},
    Action.APPROVE: {"accepted", "changed"},
    Action.EXPORT: {"approved"},
    Action.CANCEL: {"approved", "exported"},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("action", Action)
def test_an_action_is_possible_in_these_states_only(action: Action, state: State) -> None:
    if state in POSSIBLE[action]:
        require_state(action, MILK, state)
    else:
        with pytest.raises(DecisionError, match=f"cannot {action} product 007 at north.*: it is {state}; only these"):
            require_state(action, MILK, state)


def test_firm_orders_are_those_that_only_an_approver_made_so() -> None:
    assert {RULES[action].role for action in Action if RULES[action].target in FIRM} == {Role.APPROVER}


@pytest.mark.parametrize("action", [Action.APPROVE, Action.EXPORT, Action.CANCEL])
def test_who_is_no_approver_does_not_commit_money(action: Action) -> None:
    approvers = frozenset({"Boss"})

    require_role(action, person("Boss", approvers))
    with pytest.raises(DecisionError, match=f"Anna may not {action} orders: ask an approver"):
        require_role(action, person("Anna", approvers))


@pytest.mark.parametrize("action", Action)
def test_without_named_approvers_everybody_may_do_everything(action: Action) -> None:
    require_role(action, person("Anna", frozenset()))


@pytest.mark.parametrize("name", ["", "  "])
def test_nobody_cannot_decide(name: str) -> None:
    with pytest.raises(DecisionError, match="say who you are"):
        person(name, frozenset())


@pytest.mark.parametrize("action", [Action.CHANGE, Action.CANCEL])
@pytest.mark.parametrize("reason", [None, "", " \n"])
def test_a_change_and_a_cancellation_need_a_reason(action: Action, reason: str | None) -> None:
    with pytest.raises(DecisionError, match="needs a reason"):
        require_reason(action, reason)


def test_a_reason_of_any_length_is_not_kept() -> None:
    with pytest.raises(DecisionError, match="501 characters: 500 are the most"):
        require_reason(Action.ACCEPT, "x" * 501)


@pytest.mark.parametrize("units", ["-1", "0.0005", "NaN", "Infinity"])
@pytest.mark.parametrize("is_override", [True, False])
def test_what_is_no_number_of_units_cannot_be_ordered_at_all(units: str, is_override: bool) -> None:
    with pytest.raises(DecisionError, match="say 0 or more units"):
        require_units(MILK, Decimal(units), Decimal(6), Decimal(12), is_override=is_override)


@pytest.mark.parametrize(
    ("units", "problem"), [("13", "no full packs of 6"), ("6", "less than the smallest order of 12")]
)
def test_packs_and_the_smallest_order_are_kept_unless_overridden(units: str, problem: str) -> None:
    with pytest.raises(DecisionError, match=problem):
        require_units(MILK, Decimal(units), Decimal(6), Decimal(12), is_override=False)

    assert require_units(MILK, Decimal(units), Decimal(6), Decimal(12), is_override=True) == Decimal(units)


def test_nothing_can_always_be_ordered() -> None:
    assert require_units(MILK, Decimal(0), Decimal(6), Decimal(12), is_override=False) == 0


@given(packs=st.integers(1, 10**6), pack=st.decimals("0.001", "999", places=3))
def test_any_number_of_full_packs_can_be_ordered_to_the_thousandth(packs: int, pack: Decimal) -> None:
    assert require_units(MILK, packs * pack, pack, Decimal(0), is_override=False) == packs * pack
