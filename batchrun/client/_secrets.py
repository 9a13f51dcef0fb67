"""The secrets of an app in Azure: nobody but the app knows which it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.masking import MASK


class UnknownSecrets(Mapping[str, str]):
    """Has every secret that is asked for, with a mask as its value, and keeps their names in `asked`."""

    def __init__(self) -> None:
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return MASK

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
