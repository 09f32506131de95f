"""A copy of the model registry in an MLflow server, for people and tools that look there.

What belongs here: what is copied, and how. What does not: deciding anything. The registry on S3 stays the truth;
nothing is ever read back, and a server that is down keeps no model from serving. MLflow itself finds its credentials in
`MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`, or in `MLFLOW_TRACKING_TOKEN`.
"""

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nexgen_assets.resources.aliases import CHALLENGER, CHAMPION, Aliases
from nexgen_assets.verdicts import Verdict

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from nexgen_assets.forecasting.recipes import Recipe

VERSION_TAG = "nexgen.version"
# a server that does not answer holds a training up for seconds, not for minutes; what is set already stays
CLIENT_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


class MirrorError(RuntimeError):
    """The mirror cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Copy:
    """What is copied of a model version: its files, how it was made, and what became of it."""

    version: str
    files: Mapping[str, bytes]
    plots: Mapping[str, bytes]
    recipe: "Recipe"
    facts: Mapping[str, Any]
    verdict: Verdict


class MlflowMirror:
    """The experiment and the registered model `nexgen-<deployment>` of one MLflow server."""

    def __init__(self, uri: str, deployment: str) -> None:
        self.name = f"nexgen-{deployment}"
        self._client = _client(uri)

    def copy(self, copied: Copy, aliases: Aliases) -> str:
        """Copy a version, unless it is there already, and move the aliases; returns MLflow's number of it."""
        number = self._number_of(copied.version) or self._register(copied)
        self.move_aliases(aliases)
        return number

    def move_aliases(self, aliases: Aliases) -> None:
        """Let `champion` and `challenger` name the same versions as ours; none where that one was never copied."""
        held = self._model().aliases
        for alias, known in ((CHAMPION, aliases.champion), (CHALLENGER, aliases.challenger)):
            number = self._number_of(known.version) if known else None
            if number:
                self._client.set_registered_model_alias(self.name, alias, number)
            elif alias in held:
                self._client.delete_registered_model_alias(self.name, alias)

    def _number_of(self, version: str) -> str | None:
        found = self._client.search_model_versions(f"name = '{self.name}' and tags.`{VERSION_TAG}` = '{version}'")
        return str(found[0].version) if found else None

    def _register(self, copied: Copy) -> str:
        """A finished run first, then the version that points at it: a copy that was cut short is no version."""
        tags = _tags(copied)
        with self._run(copied.version, tags) as run:
            self._log(run.info.run_id, copied)
        self._model()
        source = f"{run.info.artifact_uri}/model"
        made = self._client.create_model_version(
            self.name, source, run.info.run_id, tags=tags, description=copied.verdict.reason, await_creation_for=0
        )
        return str(made.version)

    @contextmanager
    def _run(self, version: str, tags: Mapping[str, str]) -> Iterator[Any]:
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(self.name)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(self.name)
        run = self._client.create_run(experiment_id, run_name=version, tags=dict(tags))
        try:
            yield run
        except BaseException:
            with suppress(MlflowException):  # what went wrong first is what is told
                self._client.set_terminated(run.info.run_id, "FAILED")
            raise
        self._client.set_terminated(run.info.run_id)

    def _log(self, run_id: str, copied: Copy) -> None:
        from mlflow.entities import Param

        recipe, scores = copied.recipe, copied.facts.get("scores", {})
        told = {**recipe.parameters, "rounds": recipe.rounds, "sampling_rows": recipe.sampling_rows}
        self._client.log_batch(run_id, params=[Param(name, str(value)) for name, value in told.items()])
        for method, found in scores.items():
            for name, value in found.items():
                if math.isfinite(value):
                    self._client.log_metric(run_id, f"{method}_{name}", value)
        with tempfile.TemporaryDirectory() as folder:
            for part, files in (("model", copied.files), ("plots", _images(copied.plots))):
                (Path(folder) / part).mkdir()
                for name, content in files.items():
                    (Path(folder) / part / name).write_bytes(content)
            self._client.log_artifacts(run_id, folder)

    def _model(self) -> Any:
        """The registered model, made on first use."""
        from mlflow.exceptions import MlflowException

        try:
            return self._client.get_registered_model(self.name)
        except MlflowException as missing:
            if missing.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            words = "A copy: the registry of NexGen is the truth"
            return self._client.create_registered_model(self.name, description=words)


def _tags(copied: Copy) -> dict[str, str]:
    data = {f"data.{table}": str(version) for table, version in copied.facts.get("data_versions", {}).items()}
    return {
        VERSION_TAG: copied.version,
        "recipe": copied.recipe.name,
        "code_version": copied.recipe.code_version,
        "country": copied.recipe.country,
        "verdict": "passed" if copied.verdict.passed else "failed",
        "why": copied.verdict.reason,
        "dagster_run": str(copied.facts.get("run_id", "")),
        **data,
    }


def _images(plots: Mapping[str, bytes]) -> dict[str, bytes]:
    return {f"{name}.png": png for name, png in plots.items()}


def _client(uri: str) -> "MlflowClient":
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
    except ImportError as error:
        raise MirrorError(
            "NEXGEN_MLFLOW_URI needs MLflow's client: `uv sync --extra mlflow`, or "
            "`pip install 'nexgen-assets[mlflow]'`"
        ) from error
    return MlflowClient(tracking_uri=uri, registry_uri=uri)
