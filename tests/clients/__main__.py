"""Runs other people's clients against the service: `make test-clients`, because of their size not in the default tests.

Each client lives in an environment of its own, `.clients/<name>`, and gets a service of its own. Of the ways to name
the account each takes its own: `az batch` and the older SDK the variables AZURE_BATCH_*, Airflow a connection. The
files of Snakemake are in an Azurite of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from local.batch import ACCOUNT_KEY, ACCOUNT_NAME
from local.stack.azurite import AzuriteEndpoints, start_command
from local.stack.child import Child, Program
from local.stack.ports import AUTO, Ports

HERE = Path(__file__).parent
ENVIRONMENTS = HERE.parent.parent / ".clients"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Client:
    """A client: the name of its environment, and the commands that run it there; the first that fails ends it."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    has_storage: bool = False


CLIENTS = (
    Client("azure-cli", (("sh", "-x", str(HERE / "azure_cli.sh")),)),
    Client("azure-batch-14", (("python", str(HERE / "azure_batch_14.py")),)),
    Client(
        "airflow",
        (
            ("airflow", "db", "migrate"),
            ("airflow", "dags", "reserialize"),
            ("airflow", "dags", "test", "local_batch"),
        ),
    ),
    Client("snakemake", (("python", str(HERE / "snakemake" / "run.py")),), has_storage=True),
)


def main(names: list[str]) -> int:
    """Run the clients of these names, or all; 1 if one fails, after what it said."""
    chosen = [client for client in CLIENTS if not names or client.name in names]
    failed = [client.name for client in chosen if not _succeeds(client)]
    if failed:
        print(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def _succeeds(client: Client) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)  # the user of tasks must be able to enter it
        service, endpoint = _start_service(Path(folder))
        storage, environ = _start_storage(Path(folder)) if client.has_storage else (None, {})
        environ |= _environ(client, endpoint, folder)
        try:
            succeeded = all(_run(command, environ) for command in client.commands)
            succeeded = succeeded and (client.name != "airflow" or _ran_airflow_task(endpoint))
        finally:
            service.stop()
            if storage:
                storage.stop()
    print(f"{client.name}: {'ok' if succeeded else 'FAILED'}", flush=True)
    return succeeded


def _run(command: tuple[str, ...], environ: dict[str, str]) -> bool:
    ended = subprocess.run(
        command,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if ended.returncode != 0:
        print(ended.stdout, f"{' '.join(command)} ended with {ended.returncode}.", sep="\n", flush=True)
    return ended.returncode == 0


def _environ(client: Client, endpoint: str, home: str) -> dict[str, str]:
    connection = {
        "conn_type": "azure_batch",
        "login": ACCOUNT_NAME,
        "password": ACCOUNT_KEY,
        "extra": {"account_url": endpoint},
    }
    return {
        "PATH": f"{ENVIRONMENTS / client.name / 'bin'}:{os.environ['PATH']}",
        "HOME": home,
        "AZURE_BATCH_ACCOUNT": ACCOUNT_NAME,
        "AZURE_BATCH_ACCESS_KEY": ACCOUNT_KEY,
        "AZURE_BATCH_ENDPOINT": endpoint,
        "AZURE_CONFIG_DIR": f"{home}/azure",
        "AZURE_CORE_COLLECT_TELEMETRY": "false",
        "AIRFLOW_HOME": f"{home}/airflow",
        "AIRFLOW__CORE__DAGS_FOLDER": str(HERE / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW_CONN_AZURE_BATCH_DEFAULT": json.dumps(connection),
    }


def _ran_airflow_task(endpoint: str) -> bool:
    """Whether the task is there and succeeded, whatever Airflow says."""
    with BatchClient(endpoint, AzureNamedKeyCredential(ACCOUNT_NAME, ACCOUNT_KEY)) as client:
        execution = client.get_task("airflow", "task").execution_info
    return execution is not None and execution.exit_code == 0


def _start_service(folder: Path) -> tuple[Child, str]:
    port = Ports.choose(AUTO).batch
    endpoint = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "local.batch", "--port", str(port), "--data-dir", str(folder / "batch"))
    service = Child(Program("batch", command, dict(os.environ), folder / "service.log", f"{endpoint}/_local/health"))
    service.wait_ready()
    return service, endpoint


def _start_storage(folder: Path) -> tuple[Child, dict[str, str]]:
    ports = Ports.choose(AUTO)
    endpoints = AzuriteEndpoints(ports.blob, ports.queue, ports.table)
    data = folder / "azurite"
    data.mkdir()
    ready = f"http://127.0.0.1:{ports.table}/"
    command = tuple(start_command(endpoints, data))
    storage = Child(Program("azurite", command, dict(os.environ), folder / "azurite.log", ready))
    storage.wait_ready()
    return storage, {"AZURITE_CONNECTION_STRING": endpoints.connection_string}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
