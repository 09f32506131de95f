"""What an uploaded file may be called: a name that no path, terminal or spreadsheet takes for anything else."""

import re
import unicodedata
from hashlib import sha256

from nexgen_assets.decisions.rules import DecisionError

EXTENSIONS = (".csv.gz", ".csv", ".parquet")
LONGEST_STEM = 80
MARK_DIGITS = 8
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def safe_name(name: str) -> str:
    """The name in letters, digits and `. _ -`, without folders; where letters are lost, a mark keeps it apart.

    Raises DecisionError if its ending is none that the landing zone reads.
    """
    last = re.split(r"[/\\]", name)[-1].strip()
    extension = next((known for known in EXTENSIONS if last.lower().endswith(known)), None)
    if extension is None:
        raise DecisionError(
            f"the name of a file ends in {', '.join(EXTENSIONS)}; export it as one of these and upload it again"
        )
    stem = last[: -len(extension)]
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", stem) if not unicodedata.combining(sign))
    safe = _UNSAFE.sub("-", plain).strip("-._")
    is_lossy = any(sign.isalnum() and not sign.isascii() for sign in plain) or len(safe) > LONGEST_STEM or not safe
    mark = sha256(stem.encode("utf-8", "surrogatepass")).hexdigest()[:MARK_DIGITS] if is_lossy else ""
    return "-".join(part for part in (safe[:LONGEST_STEM], mark) if part) + extension


def numbered(name: str, number: int) -> str:
    """`march.csv` as `march-2.csv`."""
    extension = next(known for known in EXTENSIONS if name.endswith(known))
    return f"{name[: -len(extension)]}-{number}{extension}"
