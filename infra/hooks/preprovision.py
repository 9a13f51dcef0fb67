"""Says, before anything is deployed, which changed settings the pool cannot take now.

Azure Batch changes the size, slots, image, registries and network of a pool only while it has no nodes. Otherwise the
whole deployment fails with PropertyCannotBeUpdated (SDK, BatchPoolUpdateOptions: "can be updated only when the pool is
empty"). The pool is read by ARM, so no role in Batch is needed. `azd` runs this with its environment, which has the
outputs of the last deployment: on the first one there is no pool yet, and nothing is said.

Python's own library alone, for azd runs it with any Python 3.9 or newer.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Json = Any  # what json.loads gives

INFRA = Path(__file__).resolve().parents[1]
MOST_SLOTS_A_CORE = 4  # https://learn.microsoft.com/azure/batch/batch-parallel-node-tasks
LOGIN = "az is not logged in, or not installed: run 'az login'"
_DEFAULT = re.compile(r"^param (\w+) \S+ = ('[^']*'|\d+|true|false|\[\])$", re.MULTILINE)
_OUTPUTS = {"AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "BATCH_ACCOUNT_NAME"}
_VARIABLE = re.compile(r"\$\{(\w+)(?:=([^}]*))?\}")


class NotCheckedError(Exception):
    """Azure did not say what is needed for a check; the message says why."""


class Change(NamedTuple):
    """A setting of the pool as it is, and as it would be deployed."""

    name: str
    now: object
    wanted: object

    @property
    def is_one(self) -> bool:
        """Whether they differ; Azure gives names back in another case."""
        return _plain(self.now) != _plain(self.wanted)

    def __str__(self) -> str:
        return f"{self.name} ({_shown(self.now)} to {_shown(self.wanted)})"


def _plain(value: object) -> object:
    return sorted(str(each).casefold() for each in value) if isinstance(value, list) else str(value).casefold()


def _shown(value: object) -> str:
    return (", ".join(map(str, value)) if isinstance(value, list) else str(value)) or "none"


class Parameters:
    """What azd is about to deploy: main.parameters.json, and where that has nothing, the defaults of main.bicep."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        defaults = _DEFAULT.findall((INFRA / "main.bicep").read_text(encoding="utf-8"))
        given = json.loads((INFRA / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
        self._values = {name: json.loads(text.replace("'", '"')) for name, text in defaults}
        self._values.update({name: entry["value"] for name, entry in given.items() if "value" in entry})

    def __getitem__(self, name: str) -> Json:
        value = self._values[name]
        return _VARIABLE.sub(self._variable, value) if isinstance(value, str) else value

    def _variable(self, match: re.Match[str]) -> str:
        return self._environ.get(match[1]) or match[2] or ""


def _az(command: str) -> Json:
    """What `az` answers. Raises NotCheckedError with its message, on one line, if it fails."""
    program, *arguments = shlex.split(command)
    found = shutil.which(program)  # on Windows it is az.cmd
    if not found:
        raise NotCheckedError(LOGIN)
    done = subprocess.run(  # noqa: S603 - az, with arguments of ours
        [found, *arguments, "--output", "json"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise NotCheckedError(" ".join(done.stderr.split()) or f"az ended with {done.returncode}")
    return json.loads(done.stdout or "null")


def check_login(environ: Mapping[str, str]) -> None:
    """Raises NotCheckedError if nothing can be asked."""
    try:
        _az(f"az account show{_subscription(environ)}")
    except NotCheckedError as error:
        raise NotCheckedError(LOGIN) from error


def _subscription(environ: Mapping[str, str]) -> str:
    """The option that names azd's subscription, which may be another one than az has chosen."""
    subscription = environ.get("AZURE_SUBSCRIPTION_ID")
    return f" --subscription {shlex.quote(subscription)}" if subscription else ""


def slots_problem(parameters: Parameters, environ: Mapping[str, str]) -> str | None:
    """Why nodes cannot run as many tasks at a time; None also where Azure does not say how many cores they have."""
    location, size, slots = environ.get("AZURE_LOCATION"), parameters["nodeSize"], int(parameters["taskSlotsPerNode"])
    if not location:
        return None
    try:
        sizes = _az(f"az batch location list-skus --location {shlex.quote(location)}{_subscription(environ)}")
    except NotCheckedError:
        return None  # such as a subscription that does not know Batch yet; the deployment itself will say
    cores = [
        int(capability["value"])
        for each in sizes or []
        for capability in each.get("capabilities") or []
        if each["name"].casefold() == size.casefold() and capability["name"] == "vCPUs"
    ]
    if not cores or slots <= cores[0] * MOST_SLOTS_A_CORE:
        return None
    return (
        f"taskSlotsPerNode is {slots}, but a node of {size} has {cores[0]} cores, and Azure Batch allows "
        f"{MOST_SLOTS_A_CORE} tasks for each: {cores[0] * MOST_SLOTS_A_CORE} at most."
    )


def pool_problem(parameters: Parameters, environ: Mapping[str, str]) -> str | None:
    """Why the deployment would fail at the pool; None on the first deployment, and for a pool that is new."""
    if _OUTPUTS - environ.keys():
        return None
    pool = _pool(parameters, environ)
    nodes = _nodes(pool or {})
    changes = [str(change) for change in _changes(pool or {}, parameters) if change.is_one] if nodes else []
    if not changes:
        return None
    return (
        f"The pool '{parameters['poolId']}' {nodes}, and Azure Batch changes {' and '.join(changes)} only while it has "
        "none: wait until it is empty, or give another poolId (docs/deploy.md, 'Changing it later')."
    )


def _pool(parameters: Parameters, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The properties of the pool; None if there is none of that id."""
    group = f"/subscriptions/{environ['AZURE_SUBSCRIPTION_ID']}/resourceGroups/{environ['AZURE_RESOURCE_GROUP']}"
    account = f"{group}/providers/Microsoft.Batch/batchAccounts/{environ['BATCH_ACCOUNT_NAME']}"
    try:
        answer = _az(f"az rest --method get --url '{account}/pools/{parameters['poolId']}?api-version=2025-06-01'")
    except NotCheckedError as error:
        if re.search(r"not ?found", str(error), re.IGNORECASE):
            return None
        raise
    properties: dict[str, Any] = answer["properties"]
    return properties


def _nodes(pool: Mapping[str, Any]) -> str:
    """How many nodes it has, or may have in a moment, in words; empty if it is empty."""
    nodes = pool.get("currentDedicatedNodes", 0) + pool.get("currentLowPriorityNodes", 0)
    if nodes:
        return f"has {nodes} node{'s' if nodes > 1 else ''}"
    return "is being resized" if pool.get("allocationState") == "Resizing" else ""


def _changes(pool: Mapping[str, Any], parameters: Parameters) -> Iterator[Change]:
    """Every setting that a pool with nodes does not take."""
    machine = pool["deploymentConfiguration"]["virtualMachineConfiguration"]
    containers = machine.get("containerConfiguration") or {}
    image = machine["imageReference"]
    names = ("publisher", "offer", "sku", "version")
    template = (INFRA / "batch.bicep").read_text(encoding="utf-8")
    wanted_image = [_of_the_template(rf"^  {name}: '([^']+)'", template) for name in names]
    yield Change("nodeSize", pool["vmSize"], parameters["nodeSize"])
    yield Change("taskSlotsPerNode", pool.get("taskSlotsPerNode", 1), parameters["taskSlotsPerNode"])
    yield Change("nodeImage", ":".join(image.get(name) or "" for name in names), ":".join(wanted_image))
    yield Change(
        "nodeAgent", machine["nodeAgentSkuId"], _of_the_template(r"^param nodeAgent string = '([^']+)'", template)
    )
    yield Change("prefetchedImages", containers.get("containerImageNames") or [], parameters["prefetchedImages"])
    registries = [each.get("registryServer") for each in containers.get("containerRegistries") or []]
    yield Change("registryId", registries, _servers(parameters["registryId"]))
    is_private = bool((pool.get("networkConfiguration") or {}).get("subnetId"))
    yield Change("privateNetwork", is_private, parameters["privateNetwork"])


def _of_the_template(pattern: str, template: str) -> str:
    found = re.search(pattern, template, re.MULTILINE)
    return found[1] if found else ""


def _servers(registry_id: str) -> list[str]:
    if not registry_id:
        return []
    return [_az(f"az resource show --ids {shlex.quote(registry_id)} --query properties.loginServer")]


def main(environ: Mapping[str, str]) -> str | None:
    """Check everything; what is returned is an error for `sys.exit`."""
    parameters = Parameters(environ)
    too = f"how many tasks a node of {parameters['nodeSize']} may run at a time, and "
    try:
        check_login(environ)
        too = ""
        return slots_problem(parameters, environ) or pool_problem(parameters, environ)
    except NotCheckedError as error:
        sys.stdout.write(
            f"Not checked: {too}whether the pool '{parameters['poolId']}' can take its settings now. If it has nodes "
            f"and they have changed, this deployment fails with PropertyCannotBeUpdated. ({error})\n"
        )
        return None


if __name__ == "__main__":
    sys.exit(main(os.environ))
