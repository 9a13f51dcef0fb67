"""The zip that is published to Azure: the app's source, without what `.funcignore` names.

`python infra/package.py app.zip` writes the same files as `func azure functionapp publish` and `azd deploy` upload,
for those who deploy with `az` alone (see docs/deploy.md). The packages of requirements.txt are not in it: Azure
installs them for the Python that it runs. The same source gives the same bytes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pathspec

ROOT = Path(__file__).parents[1]
_EPOCH = (1980, 1, 1, 0, 0, 0)


def published_files(root: Path = ROOT) -> list[str]:
    """The names of all files that are published, relative to the app's folder and sorted."""
    ignored = pathspec.GitIgnoreSpec.from_lines((root / ".funcignore").read_text().splitlines())
    return sorted(_files(root, "", ignored))


def _files(root: Path, folder: str, ignored: pathspec.GitIgnoreSpec) -> list[str]:
    found: list[str] = []
    for entry in (root / folder).iterdir():
        name = folder + entry.name
        if entry.is_dir() and not ignored.match_file(f"{name}/"):
            found += _files(root, f"{name}/", ignored)
        elif entry.is_file() and not ignored.match_file(name):
            found.append(name)
    return found


def build(package: Path, root: Path = ROOT) -> None:
    """Write the zip."""
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in published_files(root):
            archive.writestr(_entry(name), (root / name).read_bytes())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def main(arguments: list[str]) -> str | None:
    """Run the command line; what is returned is an error for `sys.exit`."""
    if len(arguments) != 1:
        return "usage: python infra/package.py PACKAGE.zip"
    build(Path(arguments[0]))
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
