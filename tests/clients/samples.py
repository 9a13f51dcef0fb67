"""The samples in containers, each in its default image: that all packages which they import are there or come.

Part of `make test-clients`, as it makes an image of 250 MB from Debian's packages: Debian 13 with its Python 3.13, of
which `python:3.13-slim` is made too. It stands for `ubuntu` as well. The machine's certificates are copied into it, for
a proxy that has its own. Without debootstrap or a container engine it says so, and does nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from local.batch.node.container_engine import find_engine
from local.stack.options import REPOSITORY, StackOptions
from local.stack.ports import AUTO
from local.stack.stack import Stack
from shared.documents.names import results_folder, run_id
from tests.e2e import conftest
from tests.e2e.test_samples import RUNNABLE
from tests.support.busybox_image import NoEngineError, busybox_image

SAMPLES = REPOSITORY / "samples"
STATES = {**RUNNABLE, "dependencies.yaml": "SUCCESS"}
IMAGES = ("docker.io/library/python:3.13-slim", "docker.io/library/ubuntu:latest")
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
WAIT_SECONDS = 600.0


def main() -> None:
    """Run them; raises if one does not end as samples/README.md says."""
    if not shutil.which("debootstrap"):
        print("samples: not run, as there is no image for them: apt-get install debootstrap")
        return
    try:
        with busybox_image(), tempfile.TemporaryDirectory(prefix="samples-") as name:
            folder = Path(name)
            folder.chmod(0o755)  # the user of tasks must be able to enter it
            _make_images(folder / "root")
            found = _states(folder / "stack")
    except NoEngineError as error:
        print(f"samples: not run: {error}")
        return
    wrong = {name: state for name, state in found.items() if state != STATES[name]}
    print(f"samples: {f'FAILED: {wrong}' if wrong else f'ok ({len(found)})'}")
    sys.exit(bool(wrong))


def _make_images(root: Path) -> None:
    packages = "python3,python3-pip,ca-certificates"
    command = ["debootstrap", "--variant=minbase", f"--include={packages}", "trixie", str(root)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(root / "var/cache/apt")
    for marked in root.glob("usr/lib/python3.*/EXTERNALLY-MANAGED"):
        marked.unlink()  # the Python of the real image has none
    (root / "usr/local/bin/python").symlink_to("/usr/bin/python3")
    shutil.copy(Path("/") / CERTIFICATES, root / CERTIFICATES)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
        engine = find_engine().program
        subprocess.run([engine, "import", "-", IMAGES[0]], stdin=archive.stdout, check=True, capture_output=True)
    subprocess.run([engine, "tag", *IMAGES], check=True)


def _states(folder: Path) -> dict[str, str]:
    """How the samples have ended, all of them dropped at once."""
    conftest.WAIT_SECONDS = WAIT_SECONDS
    options = StackOptions(data_dir=folder, ports=AUTO, containers=True, pools=("local:1:4",), environ=os.environ)
    with Stack(options) as stack, BlobServiceClient.from_connection_string(stack.settings["RunStorage"]) as blobs:
        for file in filter(Path.is_file, (SAMPLES / "namespaces").rglob("*")):
            name = file.relative_to(SAMPLES / "namespaces").as_posix()
            blobs.get_blob_client("namespaces", name).upload_blob(file.read_bytes())
        runs = {name: _drop(blobs, name) for name in STATES}
        return {name: run.record()["state"] for name, run in runs.items()}


def _drop(blobs: BlobServiceClient, name: str) -> conftest.DroppedRun:
    written = blobs.get_blob_client("inbox", name).upload_blob((SAMPLES / name).read_bytes())
    accepted = run_id("inbox", name, written["etag"], written["last_modified"])
    return conftest.DroppedRun(accepted, blobs.get_container_client("results"), results_folder(name, accepted))


if __name__ == "__main__":
    main()
