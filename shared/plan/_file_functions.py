"""The functions of expressions that read files: of a namespace, of storage, and those that earlier tasks produced."""

from __future__ import annotations

from collections.abc import Callable

from shared.expressions.values import UNKNOWN, ExpressionError, Unknown
from shared.plan._context import Context
from shared.plan.lookups import BlobAddress, Lookups, WebAddress, namespace_file, read_address
from shared.plan.upstream import UpstreamUse

_NAMES = ("read", "fileExists", "fileSize", "isFileEmpty")


class FileFunctions:
    """The functions for the expressions of a task, whose `used` has the files of earlier tasks that they use."""

    def __init__(self, context: Context, lookups: Lookups, used: UpstreamUse) -> None:
        self.run, self.settings = context.run, context.settings
        self._namespace = context.flow.namespace
        self._lookups = lookups
        self._used = used

    def functions(self) -> dict[str, Callable[[str], object]]:
        """The functions that read files. As in Kestra, a file that is not there has neither a size nor is it empty."""
        return dict(zip(_NAMES, (self._read, self._exists, self._size, self._is_empty), strict=True))

    def functions_later(self) -> dict[str, Callable[[str], Unknown]]:
        """The same functions in a text that is only checked: nothing is read."""
        return dict.fromkeys(_NAMES, self._read_later)

    def _exists(self, path: str) -> bool:
        return self._lookups.etag(self.address_of(path)) is not None

    def _size(self, path: str) -> int:
        return len(self._read(path).encode())

    def _is_empty(self, path: str) -> bool:
        return not self._read(path)

    def _read_later(self, path: str) -> Unknown:
        if path and not path.startswith("/"):
            self.address_of(path)
        return UNKNOWN

    def _read(self, path: str) -> str:
        """`read()`: the text of a namespace file, of an allowed blob, or of a file that an earlier task produced."""
        address = self.address_of(path)
        read = self._lookups.text(address)
        if read.problem is not None:
            name = self._used.files[path].name if path in self._used.files else path
            raise ExpressionError(f"{name} cannot be read: {read.problem}")
        return read.text

    def address_of(self, file_name: str) -> BlobAddress:
        """The blob that is meant by a name. Raises ExpressionError if there can be none."""
        if file := self._used.files.get(file_name):
            return BlobAddress(
                self.settings.containers.results, f"{self.run.results}/outputs/{file.paths.results}{file.name}"
            )
        try:
            if "://" not in file_name:
                return namespace_file(file_name, self._namespace, self.settings)
            address = read_address(file_name, self._namespace, self.settings)
        except ValueError as error:
            raise ExpressionError(str(error)) from error
        if isinstance(address, WebAddress):
            raise ExpressionError("read() cannot read web addresses; fetch the file in a task")
        return address
