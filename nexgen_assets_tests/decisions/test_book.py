"""The book of decisions: what stands after each decision, who wins at the same moment, and what is on order of it."""

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from nexgen_assets.decisions.book import DecisionBook, Request
from nexgen_assets.decisions.rules import Action, ConflictError, DecisionError, LineKey, Person, person
from nexgen_assets_tests.decisions.proposals import (
    ANNA,
    BOSS,
    BREAD,
    DAY,
    MILK,
    TODAY,
    approve,
    as_seen,
    decide,
    proposal,
    published,
)

TOMORROW = DAY + timedelta(days=1)


def test_an_accepted_order_is_the_proposal_with_a_copy_of_its_row(book: DecisionBook) -> None:
    [decision] = decide(book, Action.ACCEPT, MILK)

    assert (decision.state, decision.order_units, decision.decided_by) == ("accepted", 24, "Anna")
    row = TODAY.rows[MILK]
    assert decision.order_row == {name: str(v) if name.endswith(("day", "_date")) else v for name, v in row.items()}


def test_a_changed_order_keeps_both_numbers_and_the_reason(book: DecisionBook) -> None:
    [decision] = decide(book, Action.CHANGE, MILK, order_units=Decimal(36), reason=" fair in town ")

    assert (decision.state, decision.order_units, decision.proposed_units) == ("changed", 36, 24)
    assert (decision.reason, decision.is_override) == ("fair in town", False)


def test_a_changed_order_that_breaks_packs_says_so(book: DecisionBook) -> None:
    [decision] = decide(book, Action.CHANGE, MILK, order_units=Decimal("13.5"), is_override=True)

    assert (decision.order_units, decision.is_override) == (Decimal("13.500"), True)


def test_accepting_after_a_change_takes_the_proposal_again(book: DecisionBook) -> None:
    decide(book, Action.CHANGE, MILK, order_units=Decimal(1), is_override=True)

    [decision] = decide(book, Action.ACCEPT, MILK)

    assert (decision.state, decision.order_units, decision.is_override) == ("accepted", 24, False)


def test_every_decision_stays_in_the_history(book: DecisionBook) -> None:
    decide(book, Action.CHANGE, MILK, order_units=Decimal(36))
    decide(book, Action.APPROVE, MILK, by=BOSS, reason=None)
    decide(book, Action.CANCEL, MILK, by=BOSS, reason="no truck")

    told = [(e.sequence, e.from_state, e.to_state, e.order_units, e.decided_by, e.reason) for e in book.history()]

    assert told == [
        (1, "proposed", "changed", 36, "Anna", "because"),
        (2, "changed", "approved", 36, "Boss", None),
        (3, "approved", "cancelled", 36, "Boss", "no truck"),
    ]


def test_history_can_be_narrowed_to_a_line_and_to_its_last_events(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK, BREAD)
    decide(book, Action.CHANGE, MILK, order_units=Decimal(36))

    assert [e.action for e in book.history(product_id="007", location="north", day=DAY)] == ["accept", "change"]
    assert [e.product_id for e in book.history(last=2)] == ["008", "007"]


def test_of_several_lines_all_are_decided_or_none(book: DecisionBook) -> None:
    unknown = LineKey(DAY, "999", "north")

    with pytest.raises(DecisionError, match=r"cannot accept product 999 at north.*no such order is proposed"):
        decide(book, Action.ACCEPT, MILK, unknown)

    assert book.decisions([DAY]) == {}
    assert book.history() == []


def test_a_line_cannot_stand_twice_in_one_request(book: DecisionBook) -> None:
    with pytest.raises(DecisionError, match="stands twice"):
        decide(book, Action.ACCEPT, MILK, MILK)


@pytest.mark.parametrize("action", [Action.ACCEPT, Action.CHANGE, Action.APPROVE])
def test_an_order_of_an_earlier_day_is_too_late(book: DecisionBook, action: Action) -> None:
    decide(book, Action.ACCEPT, MILK)
    newer = published(proposal("007", 30.0, day=TOMORROW), day=TOMORROW)

    with pytest.raises(
        DecisionError, match=f"orders of {TOMORROW} are published, those of an earlier day are too late"
    ):
        decide(book, action, MILK, of=newer, order_units=Decimal(24))


def test_a_firm_order_of_an_earlier_day_can_be_cancelled(book: DecisionBook) -> None:
    approve(book, MILK)

    [decision] = decide(book, Action.CANCEL, MILK, of=published(day=TOMORROW))

    assert decision.state == "cancelled"


def test_an_order_whose_proposal_has_changed_is_not_approved(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK)
    again = published(proposal("007", 30.0, revision="r2"))

    with pytest.raises(
        DecisionError, match="has changed since Anna decided on it, from 24 to 30 units: accept or change"
    ):
        decide(book, Action.APPROVE, MILK, of=again)
    approve(book, MILK, of=again)

    assert book.decisions([DAY])[MILK].order_units == 30


def test_a_firm_order_stays_as_it_is_when_its_proposal_changes(book: DecisionBook) -> None:
    approve(book, MILK)

    with pytest.raises(DecisionError, match=r"cannot accept .*: it is approved"):
        decide(book, Action.ACCEPT, MILK, of=published(proposal("007", 30.0, revision="r2")))

    assert book.decisions([DAY])[MILK].order_units == 24


def test_the_row_of_each_revision_decided_on_is_kept(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK)
    decide(book, Action.ACCEPT, MILK, of=published(proposal("007", 30.0, revision="r2")))

    assert [event.revision for event in book.history()] == ["r1", "r2"]
    assert book.decisions([DAY])[MILK].order_row["order_units"] == 30


def test_who_has_not_seen_the_last_decision_does_not_overwrite_it(book: DecisionBook) -> None:
    seen_by_both = as_seen(book, [MILK])
    book.decide(Action.ACCEPT, seen_by_both, ANNA, TODAY)

    with pytest.raises(
        ConflictError, match=r"was decided on since you looked \(Anna made it accepted at .* UTC\): look again"
    ):
        book.decide(Action.ACCEPT, seen_by_both, BOSS, TODAY)


def test_of_many_who_decide_at_once_one_wins(book: DecisionBook) -> None:
    request, start = [Request(MILK, 0)], threading.Barrier(8)
    outcomes: list[Any] = []

    def run(name: str) -> None:
        start.wait()
        try:
            outcomes.append(book.decide(Action.ACCEPT, request, Person(name), TODAY)[0].decided_by)
        except ConflictError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(f"planner {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    winners = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert (len(outcomes), len(winners)) == (8, 1)
    assert [event.decided_by for event in book.history()] == winners


def test_a_planner_who_is_no_approver_does_not_approve(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK)

    with pytest.raises(DecisionError, match="Anna may not approve orders"):
        decide(book, Action.APPROVE, MILK, by=person("Anna", frozenset({"Boss"})))


def test_a_year_of_days_can_be_asked_for_at_once(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK)

    assert set(book.decisions(DAY - timedelta(days=n) for n in range(3_000))) == {MILK}


# ---- what is on order of it


def firm(book: DecisionBook, start_in_days: int, active_days: int = 90) -> list[tuple[str, float]]:
    """Product and units of the firm lines that may count so many days after DAY."""
    day = DAY + timedelta(days=start_in_days)
    return [(row["product_id"], row["order_units"]) for row in book.firm_lines(day, day, active_days).to_pylist()]


def test_proposals_and_open_decisions_are_not_on_order(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK)
    decide(book, Action.CHANGE, BREAD, order_units=Decimal(12))

    assert firm(book, 1) == []


def test_an_approved_order_counts_from_its_order_date_on(book: DecisionBook) -> None:
    approve(book, MILK)

    [line] = book.firm_lines(TOMORROW, TOMORROW, 90).to_pylist()

    assert line == {
        "order_date": TOMORROW,
        "product_id": "007",
        "location": "north",
        "due_date": DAY + timedelta(days=3),
        "order_units": 24,
        "supplier_id": "S1",
    }
    assert firm(book, 0) == []


def test_an_order_due_longer_ago_than_any_stock_figure_counts_no_more(book: DecisionBook) -> None:
    approve(book, MILK)

    assert (len(firm(book, 12, active_days=10)), len(firm(book, 13, active_days=10))) == (1, 0)


def test_cancelled_orders_and_orders_of_nothing_are_not_on_order(book: DecisionBook) -> None:
    approve(book, MILK)
    decide(book, Action.CHANGE, BREAD, order_units=Decimal(0))
    decide(book, Action.APPROVE, BREAD)
    assert firm(book, 1) == [("007", 24)]

    decide(book, Action.CANCEL, MILK)

    assert firm(book, 1) == []
