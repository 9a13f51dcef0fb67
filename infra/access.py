"""Gives somebody what `batchrun` needs to use a deployed app, or takes it back. It may be repeated.

    python infra/access.py ada@example.com
    python infra/access.py ada@example.com --remove

WHO is a person's sign-in name, or the object id of a person, a group or a service principal. You must be allowed to
assign roles. The app is that of azd's environment in this folder; made by hand, it is the one that the variables
AZURE_RESOURCE_GROUP, STORAGE_ACCOUNT_NAME and BATCH_ACCOUNT_NAME name.

They are the rights of whoever deploys (roles.bicep), but stored flows can only be read: SECURITY.md says why.
Python's own library alone, as in hooks/preprovision.py.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping

WRITES, READS = "Storage Blob Data Contributor", "Storage Blob Data Reader"
ON_CONTAINERS = {
    "inbox": WRITES,
    "namespaces": WRITES,
    "uploads": WRITES,
    "flows": READS,
    "results": READS,
    "runs": READS,
}
ON_BATCH = "Azure Batch Account Reader"
NAMES = ("AZURE_RESOURCE_GROUP", "STORAGE_ACCOUNT_NAME", "BATCH_ACCOUNT_NAME")


class FailedError(Exception):
    """What kept a role from being assigned, in a sentence."""


def main(argv: list[str] | None = None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Assign or remove the roles, one after another; what is returned is an error for `sys.exit`."""
    parser = argparse.ArgumentParser(description="Gives somebody what batchrun needs to use this app.")
    parser.add_argument("who", metavar="WHO", help="a sign-in name, or the object id of a person, group or principal")
    parser.add_argument("--remove", action="store_true", help="take it back")
    arguments = parser.parse_args(argv)
    try:
        app = _app(environ)
        for scope, role in _rights(app):
            _assign(shlex.quote(arguments.who), shlex.quote(role), shlex.quote(scope), remove=arguments.remove)
    except FailedError as error:
        return f"{error} Not everything is done: when that is mended, run the same command again."
    storage = app["STORAGE_ACCOUNT_NAME"]
    print(f"{arguments.who} has none of these roles any more." if arguments.remove else _next(arguments.who, storage))
    return None


def _app(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Variables that name the app. Raises FailedError if one is missing."""
    known = environ
    if not all(map(environ.get, NAMES)):
        known = dict(line.split("=", 1) for line in shlex.split(_run("azd env get-values")) if "=" in line)
    if missing := [name for name in NAMES if not known.get(name)]:
        raise FailedError(
            f"{', '.join(missing)} not known: run this where 'azd up' was run, or set {', '.join(NAMES)}."
        )
    return known


def _rights(app: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every resource with the role on it."""
    group, storage, batch = (shlex.quote(app[name]) for name in NAMES)
    given = app.get("AZURE_SUBSCRIPTION_ID")  # which may be another one than az has chosen
    of = f" --subscription {shlex.quote(given)}" if given else ""
    account = _run(f"az storage account show --resource-group {group} --name {storage} --query id --output tsv{of}")
    batch_account = _run(f"az batch account show --resource-group {group} --name {batch} --query id --output tsv{of}")
    containers = f"{account}/blobServices/default/containers/"
    return [*((containers + name, role) for name, role in ON_CONTAINERS.items()), (batch_account, ON_BATCH)]


def _assign(who: str, role: str, scope: str, *, remove: bool) -> None:
    if remove:
        _run(f"az role assignment delete --assignee {who} --role {role} --scope {scope}")
    else:
        _run(f"az role assignment create --assignee {who} --role {role} --scope {scope} --output none")


def _next(who: str, storage: str) -> str:
    return (
        f"{who} can use the app in a few minutes, with batchrun installed (docs/batchrun.md):\n"
        "    az login\n"
        f"    batchrun use {storage} --storage https://{storage}.blob.core.windows.net\n"
        "    batchrun doctor"
    )


def _run(command: str) -> str:
    """What a command prints. Raises FailedError if it fails; it has then said why."""
    program, *arguments = shlex.split(command)
    found = shutil.which(program)  # on Windows it is az.cmd
    if not found:
        raise FailedError(f"{program} is not installed.")
    done = subprocess.run([found, *arguments], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise FailedError(f"{' '.join(command.split()[:3])} has failed, see above.")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
