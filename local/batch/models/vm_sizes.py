"""How many cores a virtual machine has, by the name of its size.

Azure's names say it: `Standard_D4s_v5` has four, `Standard_E8-4s_v5` too (of eight, four can be used), see
https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions. The first series count their sizes instead.
Series that Batch does not support, such as B, are no sizes here, nor is the first A series, which exists no more:
https://learn.microsoft.com/azure/batch/batch-pool-vm-sizes. Not known here: which sizes a region has.
"""

from __future__ import annotations

import re

_NUMBERS = r"(?P<cores>\d+)(?:-(?P<usable>\d+))?[a-z]*"
_NAMED_BY_CORES = (
    re.compile(rf"standard_a{_NUMBERS}_v2"),
    re.compile(rf"standard_[de]{_NUMBERS}_v(?:[3-9]|\d\d)"),
    re.compile(rf"standard_(?:dc|ec|f|fx|hb|hc|hx|l){_NUMBERS}(?:_v\d+)?"),
    re.compile(rf"standard_(?:m|nc|nd|ng|np|nv){_NUMBERS}(?:_[a-z0-9]+){{0,3}}"),  # which name an accelerator too
)
_D_AND_DS = {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20}
_NAMED_OTHERWISE = {
    **{f"standard_{series}{size}_v2": cores for series in ("d", "ds") for size, cores in _D_AND_DS.items()},
    **{f"standard_{s}{size}": cores for s in ("d", "ds") for size, cores in _D_AND_DS.items() if size not in {5, 15}},
    **{f"standard_{series}{size}": 2**size for series in ("g", "gs") for size in range(1, 6)},
}
_SIZES_FOR_SLOTS = (2, 4, 8, 16, 32, 48, 64, 96)
SLOTS_PER_CORE = 4
"""https://learn.microsoft.com/azure/batch/batch-parallel-node-tasks"""


def cores_of(vm_size: str) -> int | None:
    """The number of cores that can be used, None if there is no such size; upper and lower case are the same."""
    name = vm_size.lower()
    found = next(filter(None, (pattern.fullmatch(name) for pattern in _NAMED_BY_CORES)), None)
    if found is None:
        return _NAMED_OTHERWISE.get(name)
    cores, usable = int(found["cores"]), int(found["usable"] or found["cores"])
    exists = (cores == 1 or cores % 2 == 0) and 0 < usable <= cores
    return usable if exists else None


def smallest_size_for(slots: int) -> str:
    """The smallest size of the deployed series whose nodes may have so many slots."""
    cores = next(cores for cores in _SIZES_FOR_SLOTS if cores * SLOTS_PER_CORE >= slots)
    return f"Standard_D{cores}s_v5"
