"""The lake: one bucket prefix on S3, and everything that needs to know how to reach it.

Endpoint, region and credentials are decided here once; the options for Spark, deltalake, obstore and boto3 derive from
that one answer. Where nothing is configured, the lake is the embedded S3 server of the home folder.
"""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import dagster as dg
from dagster_aws.s3 import S3Resource

from nexgen_assets.processes import process_tags
from nexgen_assets.settings import Settings

CLAIM_KEY = "_nexgen.json"
_AWS_CREDENTIAL_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)


class LakeError(RuntimeError):
    """The lake cannot be used; the message names the bucket and what to do."""


@dataclass(frozen=True)
class S3Access:
    """How to reach one prefix of one bucket. Secrets stay out of its repr."""

    bucket: str
    prefix: str
    region: str
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def table_uri(self, name: str) -> str:
        return f"{self.root}/tables/{name}"

    @property
    def is_plain_http(self) -> bool:
        return bool(self.endpoint) and urlsplit(self.endpoint).scheme == "http"

    @property
    def storage_options(self) -> dict[str, str]:
        """For deltalake and obstore."""
        options = {
            "aws_region": self.region,
            "aws_endpoint": self.endpoint,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
            "aws_session_token": self.session_token,
            "aws_allow_http": "true" if self.is_plain_http else None,
        }
        return {key: value for key, value in options.items() if value}

    @property
    def environment(self) -> dict[str, str]:
        """For the embedded Spark engine, which reads the process environment."""
        return {key.upper(): value for key, value in self.storage_options.items()}

    @property
    def spark_conf(self) -> dict[str, str]:
        """For Apache Spark on the JVM: S3A under the `s3://` scheme, so that one URI works on every engine."""
        conf = {
            "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.endpoint.region": self.region,
            "spark.hadoop.fs.s3a.endpoint": self.endpoint,
            "spark.hadoop.fs.s3a.access.key": self.access_key,
            "spark.hadoop.fs.s3a.secret.key": self.secret_key,
            "spark.hadoop.fs.s3a.session.token": self.session_token,
        }
        return {key: value for key, value in conf.items() if value}

    def store(self, path: str = "") -> Any:
        """An obstore S3 store rooted at `path` below the prefix."""
        from obstore.store import S3Store

        options = {key.removeprefix("aws_"): value for key, value in self.storage_options.items()}
        is_http = options.pop("allow_http", None) is not None
        return S3Store(
            self.bucket,
            prefix=f"{self.prefix}/{path}".rstrip("/"),
            client_options={"allow_http": is_http},
            virtual_hosted_style_request=False,
            **options,  # pyright: ignore[reportArgumentType]
        )

    def s3_resource(self) -> S3Resource:
        """The same access as dagster-aws's resource, for boto3 clients."""
        return S3Resource(
            region_name=self.region,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            aws_session_token=self.session_token,
        )


def is_embedded(settings: Settings) -> bool:
    """Whether nothing names an S3 service, so that the embedded one serves."""
    return not settings.s3_endpoint and not any(os.environ.get(name) for name in _AWS_CREDENTIAL_VARIABLES)


def deployment_id(settings: Settings) -> str:
    """The identity that claims the prefix: as set, or made once and kept in the home folder."""
    from uuid import uuid4

    if settings.deployment_id:
        return settings.deployment_id
    path = settings.home_path / "deployment_id"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x") as file:
            file.write(str(uuid4()))
    except FileExistsError:
        pass
    return path.read_text().strip()


def claim_prefix(access: S3Access, owner: str) -> None:
    """Take the prefix for this deployment, or fail if another one holds it.

    Raises LakeError: two deployments that write the same tables would silently mix their data.
    """
    import json

    import obstore
    from obstore.exceptions import AlreadyExistsError

    store = access.store()
    try:
        obstore.put(store, CLAIM_KEY, json.dumps({"deployment_id": owner}).encode(), mode="create")
    except AlreadyExistsError:
        holder = json.loads(bytes(obstore.get(store, CLAIM_KEY).bytes()))["deployment_id"]
        if holder != owner:
            raise LakeError(
                f"{access.root} belongs to another deployment ({holder}). Give this one its own name with "
                f"NEXGEN_DEPLOYMENT, or, if it is the same deployment on another machine, set "
                f"NEXGEN_DEPLOYMENT_ID={holder}."
            ) from None


def _ensure_bucket(access: S3Access) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    client = access.s3_resource().get_client()
    try:
        client.list_objects_v2(Bucket=access.bucket, Prefix=access.prefix, MaxKeys=1)
    except client.exceptions.NoSuchBucket:
        raise LakeError(f"bucket {access.bucket} does not exist: create it, or set NEXGEN_BUCKET") from None
    except (ClientError, BotoCoreError) as error:
        raise LakeError(
            f"cannot list s3://{access.bucket}/{access.prefix} at {access.endpoint or 'AWS'}: {error}. "
            "Check NEXGEN_S3_ENDPOINT, the AWS_* credentials, and the right to s3:ListBucket."
        ) from error


def _configured_access(settings: Settings) -> S3Access:
    import boto3

    session = boto3.Session(region_name=settings.s3_region)
    found = session.get_credentials()
    if found is None:
        raise LakeError("no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    keys = found.get_frozen_credentials()
    return S3Access(
        bucket=settings.bucket,
        prefix=settings.deployment,
        region=settings.s3_region,
        endpoint=settings.s3_endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        access_key=keys.access_key,
        secret_key=keys.secret_key,
        session_token=keys.token,
    )


def _embedded_access(settings: Settings) -> S3Access:
    import atexit
    from contextlib import ExitStack

    from nexgen_assets.resources.embedded_s3 import embedded_s3

    # the server outlives this call and not its users: whichever process ends last stops it
    running = ExitStack()
    server = running.enter_context(embedded_s3(settings.home_path))
    atexit.register(running.close)
    access = S3Access(
        bucket=settings.bucket,
        prefix=settings.deployment,
        region=settings.s3_region,
        endpoint=server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
    )
    client = access.s3_resource().get_client()
    if settings.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=settings.bucket)
    return access


@lru_cache(maxsize=4)
def open_lake(settings: Settings) -> S3Access:
    """Reach the deployment's prefix: start the embedded S3 if need be, check the bucket, claim the prefix.

    Once per process and settings. Raises LakeError with what to do.
    """
    access = _embedded_access(settings) if is_embedded(settings) else _configured_access(settings)
    _ensure_bucket(access)
    claim_prefix(access, deployment_id(settings))
    return access


@lru_cache(maxsize=4)
def _client(access: S3Access) -> Any:
    """One for a process: Dagster asks for it at every step, and making it costs more than many a step."""
    return access.s3_resource().get_client()


class LakeResource(S3Resource):
    """dagster-aws's S3 resource, opened on the deployment's prefix when it is first used."""

    settings_json: str = "{}"

    @classmethod
    def from_settings(cls, settings: Settings) -> "LakeResource":
        return cls(
            region_name=settings.s3_region, endpoint_url=settings.s3_endpoint, settings_json=settings.model_dump_json()
        )

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Every run opens the lake: here it tells which process works on it."""
        if context.run is not None and context.instance is not None:
            context.instance.add_run_tags(context.run.run_id, process_tags())

    @property
    def access(self) -> S3Access:
        return open_lake(Settings.model_validate_json(self.settings_json))

    def get_client(self) -> Any:
        return _client(self.access)
