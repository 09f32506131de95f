"""The worklist: how proposals and decisions stand side by side when proposals change."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from nexgen_assets.decisions.book import DecisionBook, Published
from nexgen_assets.decisions.rules import Action
from nexgen_assets.decisions.worklist import WorkLine, worklist
from nexgen_assets_tests.decisions.proposals import DAY, MILK, TODAY, approve, decide, proposal, published

RERUN = published(proposal("007", 30.0, revision="r2"), proposal("008", 18.0, supplier_id="S2"))


@pytest.fixture
def book(tmp_path: Any) -> DecisionBook:
    from nexgen_assets.decisions.database import DecisionDatabase

    return DecisionBook(DecisionDatabase(f"sqlite:///{tmp_path}/decisions.db", "shop", "tests"))


def milk(book: DecisionBook, of: Published) -> WorkLine:
    [line] = [line for line in worklist(of, book.decisions([DAY])) if line.key == MILK]
    return line


def test_an_undecided_line_shows_the_new_proposal(book: DecisionBook) -> None:
    line = milk(book, RERUN)

    assert (line.standing, line.order_units, line.is_to_decide) == ("proposed", 30, True)


@pytest.mark.parametrize("action", [Action.ACCEPT, Action.CHANGE])
def test_an_accepted_or_changed_line_is_to_be_reviewed_again(book: DecisionBook, action: Action) -> None:
    decide(book, action, MILK, order_units=Decimal(12))
    assert not milk(book, TODAY).is_to_decide

    line = milk(book, RERUN)

    assert (line.standing, line.proposed_units, line.is_to_decide) == ("review again", 30, True)


def test_a_firm_line_stays_and_shows_the_difference(book: DecisionBook) -> None:
    approve(book, MILK)
    assert milk(book, TODAY).difference_units is None

    line = milk(book, RERUN)

    assert (line.standing, line.order_units, line.difference_units) == ("approved", 24, 6)
    assert not line.is_to_decide


def test_a_decided_line_whose_proposal_is_gone_is_not_lost(book: DecisionBook) -> None:
    decide(book, Action.ACCEPT, MILK)

    line = milk(book, published(proposal("008", 18.0)))

    assert (line.standing, line.proposed_units, line.order_units) == ("review again", None, 24)


def test_a_line_without_need_is_nothing_to_decide(book: DecisionBook) -> None:
    assert not milk(book, published(proposal("007", 0.0))).is_to_decide


def test_the_most_money_at_risk_comes_first_and_unknown_prices_after_it(book: DecisionBook) -> None:
    rows = [
        proposal("1", 12.0, money_at_risk=None, expected_lost_units=2.0),
        proposal("2", 12.0, money_at_risk=5.0),
        proposal("3", 12.0, money_at_risk=None, expected_lost_units=9.0),
        proposal("4", 12.0, money_at_risk=50.0),
    ]
    gone = published(proposal("5", 12.0, day=DAY + timedelta(days=0)))
    decide(book, Action.ACCEPT, *gone.rows, of=gone)

    lines = worklist(published(*rows), book.decisions([DAY]))

    assert [line.key.product_id for line in lines] == ["4", "2", "3", "1", "5"]
