"""Exports: each approved order once, files that are a function of the record, and nothing half-written."""

import csv
import io
import json
import threading
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import obstore
import pytest

from nexgen_assets.decisions.book import DecisionBook
from nexgen_assets.decisions.destinations import PREFIX, LocalFolder, StoreFolder
from nexgen_assets.decisions.exports import DeliveryError, Exported, export_again, export_orders, exports
from nexgen_assets.decisions.order_files import OrderFile
from nexgen_assets.decisions.rules import Action, ConflictError, DecisionError, person
from nexgen_assets.resources.lake import S3Access
from nexgen_assets_tests.decisions.proposals import BOSS, BREAD, DAY, MILK, TODAY, approve, decide, proposal, published


class Full(LocalFolder):
    """A folder whose disk is full after the first file."""

    def write(self, export_id: str, files: Sequence[OrderFile]) -> str:
        super().write(f"lost-{export_id}", files[:1])
        raise OSError("No space left on device")


@pytest.fixture
def folder(tmp_path: Path) -> LocalFolder:
    return LocalFolder(tmp_path / "out")


def written(export: Exported) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(str(export.export.written_to)).iterdir()}


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_an_export_is_a_file_per_supplier_and_one_for_all(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK, BREAD)

    files = written(export_orders(book, BOSS, folder))

    assert sorted(files) == ["orders.json", "supplier-S1.csv", "supplier-S2.csv"]
    [milk] = rows(files["supplier-S1.csv"])
    assert milk == {
        "export_id": json.loads(files["orders.json"])["export_id"],
        "copy_of": "",
        "order_date": "2026-03-11",
        "receipt_date": "2026-03-13",
        "supplier_id": "S1",
        "product_id": "007",
        "product_name": "Product 007",
        "location": "north",
        "order_units": "24",
        "pack_size": "6",
        "unit_cost": "1.25",
        "order_value": "30.00",
    }


def test_the_json_file_holds_every_line_and_vouches_for_the_others(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK, BREAD)

    files = written(export_orders(book, BOSS, folder))
    told = json.loads(files["orders.json"])

    assert {one["file"]: one["sha256"] for one in told["suppliers"]} == {
        name: sha256(content).hexdigest() for name, content in files.items() if name.endswith(".csv")
    }
    assert [(line["product_id"], line["order_units"], line["order_value"]) for line in told["lines"]] == [
        ("007", "24", "30.00"),
        ("008", "18", "22.50"),
    ]
    assert [(one["lines"], one["order_units"], one["order_value"]) for one in told["suppliers"]] == [
        (1, "24", "30.00"),
        (1, "18", "22.50"),
    ]


def test_exported_orders_name_their_export(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK)

    done = export_orders(book, BOSS, folder)

    decision = book.decisions([DAY])[MILK]
    assert (decision.state, decision.export_id) == ("exported", done.export.export_id)


def test_only_approved_orders_of_something_are_exported(book: DecisionBook, folder: LocalFolder) -> None:
    decide(book, Action.ACCEPT, MILK)
    decide(book, Action.CHANGE, BREAD, order_units=Decimal(0))
    decide(book, Action.APPROVE, BREAD)

    with pytest.raises(DecisionError, match="no approved orders wait to be exported"):
        export_orders(book, BOSS, folder)


def test_an_approved_order_of_an_earlier_day_is_still_exported(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK)
    tomorrow = DAY + timedelta(days=1)
    later = published(proposal("007", 12.0, day=tomorrow), day=tomorrow)
    approve(book, *later.rows, of=later)

    assert [line.order_units for line in export_orders(book, BOSS, folder).lines] == [24, 12]


def test_one_suppliers_orders_can_be_exported_alone(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK, BREAD)

    assert sorted(written(export_orders(book, BOSS, folder, supplier_id="S2"))) == ["orders.json", "supplier-S2.csv"]
    assert book.decisions([DAY])[MILK].state == "approved"


def test_a_second_export_of_the_same_orders_is_refused_and_names_the_first(
    book: DecisionBook, folder: LocalFolder
) -> None:
    approve(book, MILK)
    first = export_orders(book, BOSS, folder)

    with pytest.raises(DecisionError, match=f"the last export is {first.export.export_id}: `--again"):
        export_orders(book, BOSS, folder)


def test_the_same_request_again_gets_the_same_export(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK)
    first = export_orders(book, BOSS, folder, key="click 1")
    approve(book, BREAD)

    again = export_orders(book, BOSS, folder, key="click 1")

    assert again.export.export_id == first.export.export_id
    assert again.lines == first.lines
    assert book.decisions([DAY])[BREAD].state == "approved"


def test_asked_for_again_an_export_is_a_marked_copy(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK)
    first = export_orders(book, BOSS, folder).export.export_id

    copy = export_again(book, BOSS, folder, first, "mail lost")
    second = export_again(book, BOSS, folder, copy.export.export_id)

    assert (copy.export.export_id, second.export.export_id) == (f"{first}-copy-1", f"{first}-copy-2")
    assert (copy.export.copy_of, second.export.copy_of) == (first, first)
    [row] = rows(written(copy)["supplier-S1.csv"])
    assert (row["export_id"], row["copy_of"], row["order_units"]) == (f"{first}-copy-1", first, "24")
    assert json.loads(written(copy)["orders.json"])["copy_of"] == first
    assert {one.export_id: one.reason for one in exports(book)}[f"{first}-copy-1"] == "mail lost"


def test_a_copy_leaves_out_what_was_cancelled_since(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK, BREAD)
    first = export_orders(book, BOSS, folder).export.export_id
    decide(book, Action.CANCEL, MILK)
    assert [line.product_id for line in export_again(book, BOSS, folder, first).lines] == ["008"]

    decide(book, Action.CANCEL, BREAD)

    with pytest.raises(DecisionError, match="nothing is left to copy"):
        export_again(book, BOSS, folder, first)


def test_an_unknown_export_cannot_be_copied(book: DecisionBook, folder: LocalFolder) -> None:
    with pytest.raises(DecisionError, match="there is no export 2026-01-01-x"):
        export_again(book, BOSS, folder, "2026-01-01-x")


def test_who_is_no_approver_does_not_export(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK)

    with pytest.raises(DecisionError, match="Anna may not export orders"):
        export_orders(book, person("Anna", frozenset({"Boss"})), folder)


def test_of_two_who_export_at_once_one_gets_the_orders(book: DecisionBook, tmp_path: Path) -> None:
    approve(book, MILK, BREAD)
    start, outcomes = threading.Barrier(4), list[Any]()

    def run(n: int) -> None:
        start.wait()
        try:
            outcomes.append(export_orders(book, BOSS, LocalFolder(tmp_path / str(n))).export.export_id)
        except (DecisionError, ConflictError) as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 4
    assert sum(isinstance(outcome, str) for outcome in outcomes) == 1
    assert len(exports(book)) == 1


def test_files_that_could_not_be_written_are_written_by_the_next_export(
    book: DecisionBook, folder: LocalFolder, tmp_path: Path
) -> None:
    approve(book, MILK)
    with pytest.raises(
        DeliveryError, match="is recorded, but its files could not be written: No space left"
    ) as failure:
        export_orders(book, BOSS, Full(tmp_path / "full"))
    [interrupted] = exports(book)
    assert interrupted.export_id in str(failure.value)
    assert interrupted.written_at is None
    approve(book, BREAD)

    done = export_orders(book, BOSS, folder)

    assert done.finished == (interrupted.export_id,)
    assert [line.product_id for line in done.lines] == ["008"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [interrupted.export_id, done.export.export_id]
    )
    assert all(one.written_at for one in exports(book))


def test_the_same_record_makes_the_same_bytes(book: DecisionBook, folder: LocalFolder, tmp_path: Path) -> None:
    approve(book, MILK, BREAD)
    done = export_orders(book, BOSS, folder)
    decide(book, Action.CANCEL, MILK)
    seen = dict(written(done))

    again = export_orders(book, BOSS, LocalFolder(tmp_path / "out"), key=done.export.key)

    assert written(again) == seen


def test_a_folder_with_other_files_is_not_overwritten(tmp_path: Path) -> None:
    folder = LocalFolder(tmp_path)
    folder.write("e1", [OrderFile("a.csv", b"1")])
    folder.write("e1", [OrderFile("a.csv", b"1")])

    with pytest.raises(FileExistsError, match="is there already with other files"):
        folder.write("e1", [OrderFile("a.csv", b"2")])


def test_what_a_killed_writer_left_in_a_folder_is_no_export(tmp_path: Path) -> None:
    (tmp_path / ".e1.partial").mkdir()
    (tmp_path / ".e1.partial" / "old.csv").write_bytes(b"half")

    where = LocalFolder(tmp_path).write("e1", [OrderFile("a.csv", b"1")])

    assert [path.name for path in tmp_path.iterdir()] == ["e1"]
    assert [path.name for path in Path(where).iterdir()] == ["a.csv"]


def test_on_the_lake_the_file_that_names_the_others_comes_last(book: DecisionBook, moto_access: S3Access) -> None:
    approve(book, MILK, BREAD)
    store = moto_access.store(PREFIX)

    done = export_orders(book, BOSS, StoreFolder(store, f"{moto_access.root}/{PREFIX}"))

    objects = {item["path"]: item["last_modified"] for batch in obstore.list(store) for item in batch}
    name = done.export.export_id
    assert done.export.written_to == f"{moto_access.root}/exports/orders/{name}"
    assert set(objects) == {f"{name}/{file}" for file in ("orders.json", "supplier-S1.csv", "supplier-S2.csv")}
    assert max(objects.values()) == objects[f"{name}/orders.json"]


def test_a_cost_that_nobody_told_is_left_empty(book: DecisionBook, folder: LocalFolder) -> None:
    of = published(
        proposal("007", 24.0, assumptions="lead_time,unit_cost"),
        proposal("008", 18.0, unit_cost=None),
        proposal("9", 12.0),
    )
    approve(book, *of.rows, of=of)

    files = written(export_orders(book, BOSS, folder))

    assert [(row["unit_cost"], row["order_value"]) for row in rows(files["supplier-S1.csv"])] == [
        ("", ""),
        ("", ""),
        ("1.25", "15.00"),
    ]
    assert json.loads(files["orders.json"])["suppliers"][0]["order_value"] is None


def test_money_and_units_are_exact(book: DecisionBook, folder: LocalFolder) -> None:
    row = proposal("007", 0.3, pack_size=0.1, min_order_quantity=0.0, unit_cost=0.1 + 0.2)
    of = published(row)
    approve(book, *of.rows, of=of)

    [line] = rows(written(export_orders(book, BOSS, folder))["supplier-S1.csv"])

    assert (line["order_units"], line["unit_cost"], line["order_value"]) == ("0.3", "0.30", "0.09")


def test_orders_without_a_supplier_have_a_file_of_their_own(book: DecisionBook, folder: LocalFolder) -> None:
    of = published(proposal("007", 24.0, supplier_id=None))
    approve(book, *of.rows, of=of)

    assert sorted(written(export_orders(book, BOSS, folder))) == ["no-supplier.csv", "orders.json"]


def test_a_published_day_is_exported_with_its_own_units_after_a_re_run(book: DecisionBook, folder: LocalFolder) -> None:
    approve(book, MILK)
    rerun = published(proposal("007", 36.0, revision="r2", unit_cost=9.0))

    assert rerun.rows[MILK]["revision"] != TODAY.rows[MILK]["revision"]
    [line] = export_orders(book, BOSS, folder).lines
    assert (line.order_units, line.unit_cost) == (24, Decimal("1.25"))
