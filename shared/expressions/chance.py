"""Values by chance that are the same whenever a text is rendered: `uuid()`, `id()`, `nanoId()`, `randomInt()`, ports.

What they yield is made of the run's seed, of the place of the text, and of how often the text asked before. So each
place and each item has values of its own, and planning a run again, or running it again, does not change them. They are
not secret: who knows the run's id can compute them. The forms are those of UUIDFunction.java, IDFunction.java,
NanoIDFunction.java and RandomIntFunction.java in https://github.com/kestra-io/kestra.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from shared.expressions._operators import is_number
from shared.expressions.values import ExpressionError, check_exist

ASKS = re.compile(r"\b(?:uuid|id|nanoId|randomInt|randomPort)\s*\(")
"""Finds texts that may call these functions."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONGEST = 1_000
_LARGEST = 2**31 - 1
_PORTS = range(32_768, 61_000)  # those that Linux gives out: net.ipv4.ip_local_port_range


def chance(seed: str) -> Mapping[str, Callable[..., Any]]:
    """The functions for one rendering of a text, whose place is a part of the seed."""
    asked = itertools.count()

    def drawn(count: int) -> bytes:
        return hashlib.shake_256(f"{seed}\0{next(asked)}".encode(errors="surrogatepass")).digest(count)

    def new_uuid() -> str:
        return str(uuid.UUID(bytes=drawn(16), version=4))

    def new_id() -> str:
        """As FriendlyId writes a UUID: in base 62."""
        rest, letters = uuid.UUID(bytes=drawn(16), version=4).int, ""
        while rest:
            rest, letter = divmod(rest, len(_LETTERS))
            letters = _LETTERS[letter] + letters
        return letters

    def nano_id(length: Any = 21, alphabet: Any = f"{_LETTERS}-_") -> str:  # noqa: ANN401 - values of any type
        check_exist(length, alphabet)
        if not _is_whole(length) or not 0 <= length <= _LONGEST or not isinstance(alphabet, str) or not alphabet:
            raise ExpressionError(f"nanoId() takes a length of at most {_LONGEST}, and a text of letters")
        return "".join(alphabet[byte & (len(alphabet) - 1) & 0xFF] for byte in drawn(length))

    def random_int(lower: Any, upper: Any) -> int:  # noqa: ANN401
        check_exist(lower, upper)
        if not (_is_whole(lower) and _is_whole(upper) and lower <= upper and max(abs(lower), abs(upper)) <= _LARGEST):
            raise ExpressionError("randomInt() takes two whole numbers, the second of which is not smaller")
        number: int = lower + int.from_bytes(drawn(16)) % max(1, upper - lower)
        return number

    def random_port() -> int:
        return _PORTS[int.from_bytes(drawn(16)) % len(_PORTS)]

    return {"uuid": new_uuid, "id": new_id, "nanoId": nano_id, "randomInt": random_int, "randomPort": random_port}


def _is_whole(value: object) -> bool:
    return is_number(value) and isinstance(value, int)
