"""The front end's types are made from the API as it is."""

import json
import os
from pathlib import Path

from fastapi import FastAPI

import nexgen_assets.dashboard

DOCUMENT = Path(nexgen_assets.dashboard.__file__).with_name("frontend") / "openapi.json"


def test_the_front_end_knows_the_api_as_it_is(app: FastAPI) -> None:
    described = json.loads(json.dumps(app.openapi()))
    described["info"]["version"] = "0"  # a release changes no type
    if os.environ.get("UPDATE_OPENAPI"):
        DOCUMENT.write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")
    assert described == json.loads(DOCUMENT.read_text()), (
        "the API differs from what the front end was built for; run `UPDATE_OPENAPI=1 uv run pytest "
        "nexgen_assets_tests/dashboard/test_openapi.py`, then "
        "`uv run python build_frontend.py run build` and `... run check`"
    )
