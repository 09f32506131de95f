"""Files of orders: names that no file system mistakes, and cells that no spreadsheet takes for a formula."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nexgen_assets.decisions.order_files import file_names, safe_cell

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "'=1",
    '"=1',
    "\uff1d1",
    "x;=1",
    "x\n=1",
    "x; \t-1",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text: str) -> None:
    assert cells_that_run(safe_cell(text)) == []
    assert safe_cell(text).replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("text", ["", "Oat milk", "0.5 l - fresh", "a=b", "007", "1,5 % fat", "Müller & Söhne; 2nd"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert safe_cell(text) == text


@given(st.text(alphabet=" \t\r\n;,'\"=+-@ab1\uff0d", max_size=12))
def test_no_text_runs_whatever_separator_the_spreadsheet_expects(text: str) -> None:
    assert cells_that_run(safe_cell(text)) == []


def cells_that_run(text: str) -> list[str]:
    """The cells that a reader of `,` or one of `;` finds in a line with this text and takes for a formula."""
    line = io.StringIO()
    csv.writer(line).writerow(["a", text, "b"])
    written = line.getvalue()
    proper = [cell for row in csv.reader(io.StringIO(written, newline="")) for cell in row]
    # a reader of another separator does not know the quotes, and breaks at every line end
    other = [cell for part in written.splitlines() for cell in part.split(";")]
    return [cell for cell in [*proper, *other] if cell.strip(' "\t\r\n')[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20")]


@given(st.lists(st.text(min_size=1, max_size=200), unique=True, max_size=8))
def test_no_two_suppliers_share_a_file_and_no_name_leaves_its_folder(suppliers: list[str]) -> None:
    names = file_names([*suppliers, None])

    assert len({name.lower() for name in names.values()}) == len(suppliers) + 1
    assert all("/" not in name and "\\" not in name and len(name.encode()) < 200 for name in names.values())


def test_suppliers_keep_their_ids_where_nothing_speaks_against_it() -> None:
    assert file_names(["S01", "Valley Fresh", None]) == {
        "S01": "supplier-S01.csv",
        "Valley Fresh": "supplier-Valley%20Fresh.csv",
        None: "no-supplier.csv",
    }
