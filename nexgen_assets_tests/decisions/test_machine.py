"""Any story of planners, approvers, re-runs and exports: what holds after each step, on a real database file."""

import contextlib
import csv
import io
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nexgen_assets.decisions.book import DecisionBook, Published, Request
from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.decisions.exports import export_again, export_orders, exports
from nexgen_assets.decisions.order_files import OrderFile
from nexgen_assets.decisions.rules import RULES, Action, DecisionError, LineKey, person
from nexgen_assets.decisions.schema import OrderEvent
from nexgen_assets_tests.decisions.proposals import DAY, proposal, published

PRODUCTS = ("1", "2", "3")
DECIDED = [Action.ACCEPT, Action.CHANGE, Action.APPROVE, Action.CANCEL]
people = st.sampled_from(["Anna", "Boss"]).map(lambda name: person(name, frozenset({"Boss"})))
units = st.one_of(st.integers(0, 8).map(lambda packs: Decimal(6 * packs)), st.decimals(-1, 50, places=1))


class Memory:
    """A destination that may be down; keeps what it was given."""

    def __init__(self) -> None:
        self.is_down = False
        self.files: dict[str, list[OrderFile]] = {}

    def write(self, export_id: str, files: Sequence[OrderFile]) -> str:
        if self.is_down:
            raise OSError("disk full")
        self.files[export_id] = list(files)
        return f"memory/{export_id}"


class Planning(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.book = DecisionBook(DecisionDatabase(f"sqlite:///{self.folder.name}/decisions.db", "shop", "tests"))
        self.destination = Memory()
        self.day, self.run = DAY, 0
        self.publish()

    def publish(self) -> None:
        rows = [proposal(name, 12.0 + 6 * (self.run % 3), day=self.day, revision=f"r{self.run}") for name in PRODUCTS]
        self.published: Published = published(*rows, day=self.day)

    @rule()
    def run_the_day_again(self) -> None:
        self.run += 1
        self.publish()

    @rule()
    def publish_the_next_day(self) -> None:
        self.day += timedelta(days=1)
        self.publish()

    @rule(
        action=st.sampled_from(DECIDED),
        product=st.sampled_from(PRODUCTS),
        days_back=st.integers(0, 2),
        who=people,
        units=units,
        is_override=st.booleans(),
        reason=st.sampled_from([None, "fair"]),
        behind=st.integers(0, 1),
    )
    def decide(self, action, product, days_back, who, units, is_override, reason, behind) -> None:  # noqa: PLR0917
        key = LineKey(self.day - timedelta(days=days_back), product, "north")
        known = self.book.decisions([key.day]).get(key)
        seen = max(0, (known.sequence if known else 0) - behind)
        before = len(self.events())
        try:
            self.book.decide(action, [Request(key, seen, units, is_override)], who, self.published, reason)
        except DecisionError:
            assert len(self.events()) == before

    @rule(who=people, is_down=st.booleans())
    def export(self, who, is_down) -> None:
        self.destination.is_down = is_down
        with contextlib.suppress(DecisionError, RuntimeError):
            export_orders(self.book, who, self.destination)
        self.destination.is_down = False

    @rule(who=people, data=st.data())
    def copy(self, who, data) -> None:
        if known := exports(self.book):
            chosen = data.draw(st.sampled_from([one.export_id for one in known]))
            with contextlib.suppress(DecisionError):
                export_again(self.book, who, self.destination, chosen)

    def events(self) -> list[OrderEvent]:
        return self.book.history(last=10_000)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @invariant()
    def events_follow_the_table_one_by_one_and_end_in_the_present(self) -> None:
        present: dict[LineKey, OrderEvent] = {}
        for event in self.events():
            key = LineKey(event.day, event.product_id, event.location)
            before = present.get(key)
            allowed = RULES[Action(event.action)]
            assert event.sequence == (before.sequence + 1 if before else 1)
            assert event.from_state == (before.to_state if before else "proposed")
            assert event.from_state in allowed.sources
            assert event.to_state == allowed.target
            present[key] = event
        stands = self.book.decisions({key.day for key in present})
        assert {k: (e.to_state, e.order_units, e.sequence, e.revision) for k, e in present.items()} == {
            k: (d.state, d.order_units, d.sequence, d.revision) for k, d in stands.items()
        }

    @invariant()
    def nothing_is_exported_that_no_approver_approved(self) -> None:
        steps: dict[tuple[object, ...], list[OrderEvent]] = defaultdict(list)
        for event in self.events():
            steps[event.day, event.product_id].append(event)
        for events in steps.values():
            for earlier, later in zip([None, *events], events, strict=False):
                if later.to_state == "exported":
                    assert earlier is not None
                    assert (earlier.to_state, earlier.decided_by) == ("approved", "Boss")
                    assert earlier.order_units == later.order_units > 0

    @invariant()
    def units_are_full_packs_or_an_override_with_a_reason(self) -> None:
        for event in self.events():
            if event.action == "change":
                assert event.reason == "fair"
            if not event.is_override:
                assert event.order_units % 6 == 0
                assert event.order_units == 0 or event.order_units >= 12

    @invariant()
    def each_order_stands_in_the_files_of_one_export_and_in_marked_copies(self) -> None:
        times: Counter[tuple[str, str]] = Counter()
        for export_id, files in self.destination.files.items():
            for file in files:
                if not file.name.endswith(".csv"):
                    continue
                for row in csv.DictReader(io.StringIO(file.content.decode())):
                    assert (row["export_id"], bool(row["copy_of"])) == (export_id, "-copy-" in export_id)
                    times[row["order_date"], row["product_id"]] += not row["copy_of"]
        assert not times or max(times.values()) == 1
        recorded = {one.export_id for one in exports(self.book, 1_000) if one.written_at}
        assert recorded <= set(self.destination.files)

    @invariant()
    def on_order_is_what_stands_approved_or_exported(self) -> None:
        lines = self.book.firm_lines(DAY, self.day + timedelta(days=1), 1_000).to_pylist()
        last = {(e.day, e.product_id): e for e in self.events()}
        firm = {
            (day + timedelta(days=1), product): float(event.order_units)
            for (day, product), event in last.items()
            if event.to_state in ("approved", "exported") and event.order_units
        }
        assert {(line["order_date"], line["product_id"]): line["order_units"] for line in lines} == firm


TestPlanning = Planning.TestCase
TestPlanning.settings = settings(deadline=None, max_examples=25, stateful_step_count=20)
