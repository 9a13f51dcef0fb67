"""A container image made of Debian's busybox-static, without any registry."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.batch.node.container_engine import find_engine
from local.errors import LocalError

IMAGE = "localhost/busybox-for-tests:1"
BUSYBOX = Path("/bin/busybox")
PACKAGES = "podman runc conmon iptables containernetworking-plugins busybox-static"
PODMAN_AS_ROOT = {
    "CONTAINERS_CONF": """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
""",
    "CONTAINERS_STORAGE_CONF": """
[storage]
driver = "overlay"
graphroot = "{folder}/graph"
runroot = "{folder}/run"
""",
    "CONTAINERS_REGISTRIES_CONF": """
[[registry]]
insecure = true
location = "127.0.0.1"
""",
}
"""What Podman needs where it runs as root in a sandbox: another runtime than crun, and no systemd.

Each test session has a store of its own, and several run at the same time: locks in shared memory would be mixed up.
"""


class NoEngineError(Exception):
    """This machine cannot run containers; the message says what to install."""


@contextlib.contextmanager
def busybox_image() -> Iterator[str]:
    """Set the engine up, give it the image, and return the image's name. Raises NoEngineError.

    Podman's store is in a folder with a short name: with a long one, `podman start --attach` never returns.
    """
    if not BUSYBOX.exists():
        raise NoEngineError(f"Containers are not tested, as there is no {BUSYBOX}: apt-get install {PACKAGES}")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="bb-") as name:
        folder = Path(name)
        if os.geteuid() == 0 and shutil.which("runc"):
            _set_podman_up(folder, patch)
        try:
            engine = find_engine().program
        except LocalError as error:
            raise NoEngineError(f"Containers are not tested: {error}") from error
        root = _root_of_image(folder)
        archive = subprocess.run(["tar", "-C", root, "-c", "."], capture_output=True, check=True).stdout
        subprocess.run([engine, "import", "-", IMAGE], input=archive, capture_output=True, check=True)
        yield IMAGE
        subprocess.run([engine, "rmi", "--force", IMAGE], capture_output=True, check=False)
        subprocess.run(["umount", folder / "graph/overlay"], capture_output=True, check=False)  # Podman leaves it there


def _set_podman_up(folder: Path, patch: pytest.MonkeyPatch) -> None:
    for name, text in PODMAN_AS_ROOT.items():
        file = folder / name.lower()
        file.write_text(text.format(folder=folder))
        patch.setenv(name, str(file))


def _root_of_image(folder: Path) -> Path:
    root = folder / "root"
    for name in ("bin", "etc", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n")
    shutil.copy(BUSYBOX, root / "bin")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in set(applets) - {"busybox"}:
        (root / "bin" / applet).symlink_to("busybox")
    return root
