"""A deployment on the S3 server in memory, for commands that find it by the environment."""

from pathlib import Path

import pytest

from nexgen_assets.resources.lake import S3Access


@pytest.fixture
def deployed(moto_access: S3Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Access:
    """How to reach the lake that `load_settings` names from now on."""
    variables = {
        "NEXGEN_HOME": str(tmp_path / "home"),
        "NEXGEN_DEPLOYMENT": moto_access.prefix,
        "NEXGEN_BUCKET": moto_access.bucket,
        "NEXGEN_S3_ENDPOINT": str(moto_access.endpoint),
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "COLUMNS": "200",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return moto_access
