"""The lake: one deployment per prefix, no secret on any screen, and the embedded server only where nothing is named."""

from pathlib import Path

import pytest

from nexgen_assets.resources.lake import (
    LakeError,
    LakeResource,
    S3Access,
    claim_prefix,
    deployment_id,
    is_embedded,
    open_lake,
)
from nexgen_assets.settings import Settings

SECRET = "do-not-show"


def test_a_prefix_belongs_to_the_deployment_that_claimed_it_first(moto_access: S3Access) -> None:
    claim_prefix(moto_access, "first")
    claim_prefix(moto_access, "first")
    with pytest.raises(LakeError, match=r"another deployment \(first\).*NEXGEN_DEPLOYMENT"):
        claim_prefix(moto_access, "second")


def test_a_second_deployment_of_the_same_name_is_refused_when_it_opens(
    deployment: Settings, lake: LakeResource
) -> None:
    assert lake.access.prefix == deployment.deployment
    with pytest.raises(LakeError, match="belongs to another deployment"):
        open_lake(deployment.model_copy(update={"deployment_id": "somebody-else"}))


def test_secrets_are_in_no_repr(lake: LakeResource) -> None:
    access = S3Access("b", "p", "r", "http://127.0.0.1:1", SECRET, SECRET, SECRET)
    assert SECRET not in repr(access) + str(access)
    assert lake.access.secret_key
    assert lake.access.secret_key not in repr(lake) + str(lake)


def test_the_identity_of_a_home_is_made_once(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a")
    assert deployment_id(settings) == deployment_id(settings)
    assert deployment_id(settings) != deployment_id(Settings(home=tmp_path / "b"))
    assert deployment_id(Settings(home=tmp_path / "a", deployment_id="told")) == "told"


@pytest.fixture
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_embedded_server_serves_where_nothing_names_another(nothing_named: pytest.MonkeyPatch) -> None:
    assert is_embedded(Settings())
    nothing_named.setenv("AWS_PROFILE", "")
    assert is_embedded(Settings())


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_it_does_not_serve_where_the_environment_names_one(name: str, nothing_named: pytest.MonkeyPatch) -> None:
    nothing_named.setenv(name, "x")
    assert not is_embedded(Settings())


@pytest.mark.usefixtures("nothing_named")
def test_it_does_not_serve_where_an_endpoint_is_set() -> None:
    assert not is_embedded(Settings(s3_endpoint="http://127.0.0.1:1"))
