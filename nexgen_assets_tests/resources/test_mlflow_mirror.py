"""The copy in MLflow: a real server on loopback, asked over its REST interface what it has got."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg
import pytest
import requests

from nexgen_assets.automation import rollback_job
from nexgen_assets.definitions import build_resources
from nexgen_assets.forecasting.plans import Plans
from nexgen_assets.forecasting.promotion import FIT_TO_SERVE
from nexgen_assets.forecasting.recipes import Recipe
from nexgen_assets.forecasting.training import recipe_of
from nexgen_assets.io_managers.models import Candidate, ModelIOManager
from nexgen_assets.resources.lake import LakeResource
from nexgen_assets.resources.registry import ModelRegistry
from nexgen_assets.settings import SettingsError, load_settings
from nexgen_assets.verdicts import Verdict

JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 29)
START_SECONDS = 120
FACTS = {
    "data_versions": {"daily_demand": 7, "calendar": None},
    "scores": {"model": {"wrmsse": 0.7, "wape": float("nan")}, "seasonal_naive": {"wrmsse": 0.9}},
}
RECIPE = recipe_of(Plans.none(), 1_000, "US", {"max_depth": 6})
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Model:
    """What is asked of a trained model."""

    training_cutoff: date
    recipe: Recipe = RECIPE

    def to_files(self) -> dict[str, bytes]:
        return {"model-0.ubj": b"trees", "manifest.json": b"{}"}


def store(
    lake: LakeResource, uri: str | None, cutoff: date = JANUARY, *, passed: bool = True
) -> tuple[dict[str, Any], str]:
    """Register a model as a training does; returns its metadata and its version."""
    context = dg.build_output_context(asset_key=dg.AssetKey("trained_model"), run_id="run-1")
    verdict = Verdict(FIT_TO_SERVE, passed, "because")
    candidate = Candidate(Model(cutoff), verdict, FACTS, {"scores": b"png"})  # pyright: ignore[reportArgumentType]
    ModelIOManager(lake=lake, mlflow_uri=uri).handle_output(context, candidate)
    told = {key: getattr(value, "value", value) for key, value in context.get_logged_metadata().items()}
    return told, told["model_version"]


class Server:
    """A running MLflow server, asked by plain HTTP."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def ask(self, question: str, **query: str) -> dict[str, Any]:
        answer = requests.get(f"{self.uri}/api/2.0/mlflow/{question}", params=query, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def file(self, run_id: str, path: str) -> bytes:
        return requests.get(f"{self.uri}/get-artifact", params={"run_id": run_id, "path": path}, timeout=30).content

    def versions(self, lake: LakeResource) -> list[dict[str, Any]]:
        """Versions of a deployment's model, oldest first."""
        found = self.ask("model-versions/search", filter=f"name='nexgen-{lake.access.prefix}'")
        return sorted(found.get("model_versions", []), key=lambda version: int(version["version"]))

    def aliases(self, lake: LakeResource) -> dict[str, str]:
        """Our versions by alias."""
        versions = {known["version"]: tags_of(known)["nexgen.version"] for known in self.versions(lake)}
        model = self.ask("registered-models/get", name=f"nexgen-{lake.access.prefix}")["registered_model"]
        return {alias["alias"]: versions[alias["version"]] for alias in model.get("aliases", [])}

    def files(self, run_id: str, path: str) -> set[str]:
        return {file["path"] for file in self.ask("artifacts/list", run_id=run_id, path=path)["files"]}


def tags_of(found: Mapping[str, Any]) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in found["tags"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", str(home / "artifacts")),
    ]
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (
        (home / "log").open("w") as log,
        subprocess.Popen(command, cwd=home, env=environment, stdout=log, stderr=log, start_new_session=True) as process,
    ):
        found = Server(f"http://127.0.0.1:{port}")
        _wait(found, process, home)
        yield found
        os.killpg(process.pid, 9)  # its workers are processes of their own


def _wait(server: Server, process: subprocess.Popen[bytes], home: Any) -> None:
    give_up = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < give_up:
        try:
            server.ask("experiments/search", max_results="1")
        except requests.RequestException:
            time.sleep(0.3)
        else:
            return
    raise AssertionError(f"MLflow's server did not start: {(home / 'log').read_text()[-2000:]}")


def test_a_version_is_copied_with_how_it_was_made_and_what_became_of_it(server: Server, lake: LakeResource) -> None:
    told, version = store(lake, server.uri)
    [copied] = server.versions(lake)
    assert told["mlflow"] == f"version 1 of nexgen-{lake.access.prefix} at {server.uri}"
    tags = tags_of(copied)
    assert (tags["nexgen.version"], tags["verdict"], tags["why"]) == (version, "passed", "because")
    assert (tags["data.daily_demand"], tags["data.calendar"], tags["dagster_run"]) == ("7", "None", "run-1")
    run = server.ask("runs/get", run_id=copied["run_id"])["run"]
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", version)
    assert {metric["key"]: metric["value"] for metric in run["data"]["metrics"]} == {
        "model_wrmsse": 0.7,
        "seasonal_naive_wrmsse": 0.9,
    }
    params = {param["key"]: param["value"] for param in run["data"]["params"]}
    assert (params["max_depth"], params["sampling_rows"]) == ("6", "1000")
    assert server.files(copied["run_id"], "model") == {"model/model-0.ubj", "model/manifest.json"}
    assert server.file(copied["run_id"], "model/model-0.ubj") == b"trees"
    assert server.files(copied["run_id"], "plots") == {"plots/scores.png"}
    assert copied["source"].endswith("/artifacts/model")


def test_the_same_version_is_copied_once(server: Server, lake: LakeResource) -> None:
    store(lake, server.uri)
    told, _ = store(lake, server.uri)
    assert told["mlflow"].startswith("version 1 of ")
    assert len(server.versions(lake)) == 1


def test_aliases_follow_promotion_and_rollback(server: Server, lake: LakeResource) -> None:
    _, champion = store(lake, server.uri)
    _, challenger = store(lake, server.uri, FEBRUARY, passed=False)
    assert server.aliases(lake) == {"champion": champion, "challenger": challenger}
    assert rollback_job(server.uri).execute_in_process(resources={"lake": lake}).success
    assert server.aliases(lake) == {"challenger": challenger}


def test_a_champion_that_was_never_copied_has_no_alias(server: Server, lake: LakeResource) -> None:
    store(lake, None, FEBRUARY)
    _, earlier = store(lake, server.uri, JANUARY)
    assert [tags_of(known)["nexgen.version"] for known in server.versions(lake)] == [earlier]
    assert server.aliases(lake) == {}


def test_a_server_that_is_down_is_told_of_and_the_model_serves(lake: LakeResource) -> None:
    told, version = store(lake, NOWHERE)
    champion = ModelRegistry(lake.access).aliases().champion
    assert champion is not None
    assert champion.version == version
    assert told["alias"] == "champion"
    assert told["mlflow"].startswith(f"no copy at {NOWHERE}: ")


def test_without_mlflow_the_metadata_says_what_to_install(lake: LakeResource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    told, _ = store(lake, NOWHERE)
    assert "uv sync --extra mlflow" in told["mlflow"]


def test_a_deployment_copies_where_its_setting_says() -> None:
    assert build_resources(load_settings(mlflow_uri=NOWHERE))["models"].mlflow_uri == NOWHERE
    assert build_resources(load_settings())["models"].mlflow_uri is None


def test_credentials_in_the_url_are_refused_and_not_shown() -> None:
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_PASSWORD") as refused:
        load_settings(mlflow_uri="https://ada:s3cret@mlflow.example.com")
    assert "s3cret" not in str(refused.value)
    assert "ada" not in str(refused.value)
