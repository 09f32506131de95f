"""Any story of planners, approvers, re-runs and exports: what holds after each step, on a real database file."""

import csv
import io
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nexgen_assets.decisions.book import DecisionBook, Published, Request
from nexgen_assets.decisions.database import DecisionDatabase
from nexgen_assets.decisions.exports import DeliveryError, export_again, export_orders, exports
from nexgen_assets.decisions.order_files import OrderFile
from nexgen_assets.decisions.rules import RULES, Action, DecisionError, LineKey, Person, person
from nexgen_assets.decisions.schema import OrderEvent
from nexgen_assets_tests.decisions.proposals import DAY, proposal, published

PRODUCTS = ("1", "2")
DECIDED = [Action.ACCEPT, Action.CHANGE, Action.APPROVE, Action.CANCEL]
ANNA, BOSS = (person(name, frozenset({"Boss"})) for name in ("Anna", "Boss"))
people = st.sampled_from([ANNA, BOSS])
full_packs = st.sampled_from([0, 2, 3, 7]).map(lambda packs: Decimal(6 * packs))
any_units = st.one_of(full_packs, st.decimals(-1, 50, places=1))


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
        self.day, self.run_number = DAY, 0
        self.publish()

    def publish(self) -> None:
        rows = [
            proposal(name, 12.0 + 6 * (self.run_number % 3), day=self.day, revision=f"r{self.run_number}")
            for name in PRODUCTS
        ]
        self.published: Published = published(*rows, day=self.day)

    @rule(is_next_day=st.booleans())
    def run(self, is_next_day: bool) -> None:
        """The pipeline: the day again, with other proposals, or the next one."""
        self.run_number += 1
        self.day += timedelta(days=is_next_day)
        self.publish()

    @rule(product=st.sampled_from(PRODUCTS), changed=st.none() | full_packs, is_exported=st.booleans())
    def order(self, product: str, changed: Decimal | None, is_exported: bool) -> None:
        """The usual road, whole: rules drawn one by one seldom meet on it."""
        key = LineKey(self.day, product, "north")
        self.attempt(Action.ACCEPT if changed is None else Action.CHANGE, key, ANNA, changed)
        self.attempt(Action.APPROVE, key, BOSS)
        if is_exported:
            with suppress(DecisionError):
                export_orders(self.book, BOSS, self.destination)

    @rule(product=st.sampled_from(PRODUCTS), days_back=st.integers(0, 1))
    def cancel(self, product: str, days_back: int) -> None:
        self.attempt(Action.CANCEL, LineKey(self.day - timedelta(days=days_back), product, "north"), BOSS)

    @rule(
        action=st.sampled_from(DECIDED),
        product=st.sampled_from(PRODUCTS),
        days_back=st.integers(0, 2),
        who=people,
        units=any_units,
        is_override=st.booleans(),
        reason=st.sampled_from([None, "fair"]),
        behind=st.integers(0, 1),
    )
    def try_anything(  # noqa: PLR0917
        self,
        action: Action,
        product: str,
        days_back: int,
        who: Person,
        units: Decimal,
        is_override: bool,
        reason: str | None,
        behind: int,
    ) -> None:
        key = LineKey(self.day - timedelta(days=days_back), product, "north")
        self.attempt(action, key, who, units, is_override=is_override, reason=reason, behind=behind)

    def attempt(  # noqa: PLR0917
        self,
        action: Action,
        key: LineKey,
        who: Person,
        units: Decimal | None = None,
        reason: str | None = "fair",
        behind: int = 0,
        *,
        is_override: bool = False,
    ) -> None:
        """Decide; what is refused leaves no event."""
        known = self.book.decisions([key.day]).get(key)
        seen = max(0, (known.sequence if known else 0) - behind)
        before = len(self.events())
        try:
            self.book.decide(action, [Request(key, seen, units, is_override)], who, self.published, reason)
        except DecisionError:
            assert len(self.events()) == before

    @rule(who=people, is_down=st.booleans())
    def export(self, who: Person, is_down: bool) -> None:
        self.destination.is_down = is_down
        with suppress(DecisionError, DeliveryError):
            export_orders(self.book, who, self.destination)
        self.destination.is_down = False

    @precondition(lambda self: exports(self.book))
    @rule(data=st.data())
    def copy(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from([one.export_id for one in exports(self.book)]))
        with suppress(DecisionError):
            export_again(self.book, BOSS, self.destination, chosen)

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
TestPlanning.settings = settings(max_examples=30, stateful_step_count=30)
