"""The embedded S3 server, with the real binary: it keeps data, guards it, and the last user stops it."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from nexgen_assets.resources import embedded_s3 as module
from nexgen_assets.resources.embedded_s3 import (
    EmbeddedS3Error,
    S3Server,
    embedded_s3,
    start_embedded_s3,
    stop_embedded_s3,
)


def client(server: S3Server, secret: str | None = None) -> Any:
    return closing(
        boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id=server.access_key,
            aws_secret_access_key=secret or server.secret_key,
            config=Config(retries={"total_max_attempts": 1}),
        )
    )


def put(server: S3Server, key: str, body: bytes) -> None:
    with client(server) as s3:
        s3.create_bucket(Bucket="shop")
        s3.put_object(Bucket="shop", Key=key, Body=body)


def get(server: S3Server, key: str) -> bytes:
    with client(server) as s3, s3.get_object(Bucket="shop", Key=key)["Body"] as body:
        return body.read()


def get_put(server: S3Server) -> bytes:
    put(server, "note", b"still there")
    return get(server, "note")


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_embedded_s3(tmp_path)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(shared_home: Path) -> Iterator[S3Server]:
    with embedded_s3(shared_home) as running:
        yield running


def test_an_object_comes_back_as_it_was_put(server: S3Server) -> None:
    body = os.urandom(9_000_000)
    put(server, "folder/object", body)
    assert get(server, "folder/object") == body


def test_a_wrong_secret_is_refused(server: S3Server) -> None:
    with client(server, secret="wrong") as s3, pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.list_buckets()


def test_a_request_without_credentials_is_refused(server: S3Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.endpoint.rsplit(":", 1)[1]))) as line:
        line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert b" 403 " in line.recv(100).splitlines()[0]


def test_it_listens_on_loopback_only(server: S3Server) -> None:
    listening = [line for line in psutil.Process(server.pid).net_connections("inet") if not line.raddr]
    assert {line.laddr.ip for line in listening} == {"127.0.0.1"}


def test_it_listens_on_its_own_ports_only(server: S3Server, shared_home: Path) -> None:
    ports = json.loads((shared_home / "s3/state.json").read_text())["ports"].values()
    listening = {line.laddr.port for line in psutil.Process(server.pid).net_connections("inet") if not line.raddr}
    assert listening == {*ports, *(port + 10_000 for port in ports)}


@pytest.mark.parametrize("file", ["credentials.json", "identities.json", "private.options", "state.json"])
@pytest.mark.usefixtures("server")
def test_only_the_owner_can_read_its_files(shared_home: Path, file: str) -> None:
    assert stat.S_IMODE((shared_home / "s3" / file).stat().st_mode) == 0o600


def test_the_secret_shows_neither_in_the_repr_nor_in_the_process_list_nor_in_the_log(
    server: S3Server, shared_home: Path
) -> None:
    shown = repr(server) + " ".join(psutil.Process(server.pid).cmdline()) + (shared_home / "logs/s3.log").read_text()
    assert server.access_key in shown
    assert server.secret_key not in shown


def test_a_second_start_gives_the_same_server(server: S3Server, shared_home: Path) -> None:
    assert start_embedded_s3(shared_home) == server


def test_a_block_does_not_stop_a_server_that_another_uses(server: S3Server, shared_home: Path) -> None:
    with embedded_s3(shared_home) as again:
        assert again.pid == server.pid
    assert is_running(server.pid)


def test_a_block_stops_the_server_it_started(home: Path) -> None:
    with embedded_s3(home) as started:
        assert is_running(started.pid)
    assert not is_running(started.pid)


USER = """
import sys
from pathlib import Path
from nexgen_assets.resources.embedded_s3 import embedded_s3

with embedded_s3(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def another_user(home: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A process that uses the server until it reads a line, and the id of the server it uses."""
    command = [sys.executable, "-c", USER, str(home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as user:
        assert user.stdout
        yield user, int(user.stdout.readline())


def test_the_server_stays_for_who_still_uses_it_when_its_starter_ends(home: Path) -> None:
    with another_user(home) as (starter, pid):
        with embedded_s3(home) as server:
            assert server.pid == pid
            starter.communicate("end\n", timeout=30)
            assert get_put(server) == b"still there"
        assert not is_running(pid), "the last user stops it"


def test_the_server_of_a_killed_starter_is_stopped_by_its_last_user(home: Path) -> None:
    with another_user(home) as (starter, pid):
        starter.kill()
        starter.wait(5)
        assert is_running(pid)
    with embedded_s3(home) as server:
        assert server.pid == pid
    assert not is_running(pid)


def test_stopping_where_none_runs_does_nothing(tmp_path: Path) -> None:
    stop_embedded_s3(tmp_path)


def test_data_and_address_survive_kill_9(home: Path) -> None:
    first = start_embedded_s3(home)
    put(first, "kept", b"acknowledged")
    os.kill(first.pid, signal.SIGKILL)
    psutil.Process(first.pid).wait(5)
    second = start_embedded_s3(home)
    assert second.pid != first.pid
    assert second.endpoint == first.endpoint
    assert get(second, "kept") == b"acknowledged"


def test_a_server_that_hangs_is_replaced(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REUSE_SECONDS", 0.5)
    hung = start_embedded_s3(home)
    os.kill(hung.pid, signal.SIGSTOP)
    replacement = start_embedded_s3(home)
    assert not is_running(hung.pid)
    assert replacement.pid != hung.pid


def test_a_server_whose_starter_died_before_noting_it_is_replaced(home: Path) -> None:
    orphan = start_embedded_s3(home)
    (home / "s3/state.json").unlink()
    replacement = start_embedded_s3(home)
    assert not is_running(orphan.pid)
    assert is_running(replacement.pid)


def test_a_foreign_process_that_inherited_the_noted_pid_is_left_alone(home: Path) -> None:
    ports = {"master": 15001, "volume": 15002, "filer": 15003, "admin": 15004, "s3": 15005}
    (home / "s3").mkdir()
    (home / "s3/state.json").write_text(json.dumps({"pid": os.getpid(), "ports": ports}))
    assert start_embedded_s3(home).pid != os.getpid()


def test_it_outlives_the_process_that_started_it_and_two_starters_share_one(home: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from nexgen_assets.resources.embedded_s3 import start_embedded_s3;"
        "print(start_embedded_s3(Path(sys.argv[1])).pid)"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", code, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    pids = {int(starter.communicate(timeout=60)[0]) for starter in starters}
    assert len(pids) == 1
    assert is_running(pids.pop())


def test_a_taken_port_is_avoided(home: Path) -> None:
    with embedded_s3(home) as first:
        ports = json.loads((home / "s3/state.json").read_text())["ports"]
    with socket.create_server(("127.0.0.1", ports["filer"] + 10_000)), embedded_s3(home) as second:
        assert second.endpoint != first.endpoint


def test_a_server_that_dies_at_once_names_its_log_and_the_way_out(home: Path) -> None:
    (home / "s3/data").mkdir(parents=True)
    (home / "s3/data/filerldb2").write_text("a file where the server keeps a folder")
    with pytest.raises(EmbeddedS3Error, match="NEXGEN_S3_ENDPOINT") as error:
        start_embedded_s3(home)
    assert str(home / "logs/s3.log") in str(error.value)


def test_broken_credentials_say_which_file_to_delete(home: Path) -> None:
    (home / "s3").mkdir()
    (home / "s3/credentials.json").write_text("{")
    with pytest.raises(EmbeddedS3Error, match=r"credentials\.json cannot be read. Delete it"):
        start_embedded_s3(home)
