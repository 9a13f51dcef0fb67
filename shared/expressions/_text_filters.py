"""Filters of texts; other values are converted to text first."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import hashlib
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from shared.expressions._regex_filters import replaced, split
from shared.expressions.values import ExpressionError, Filter, check_size, spend, text_of


def _of_text(apply: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(apply)  # so that its arguments are known
    def of_text(value: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - values of any type
        return None if value is None else apply(text_of(value), *args, **kwargs)

    return of_text


def _replace(text: str, replace_pairs: Any, new: Any = None, *, regexp: bool = False) -> str:  # noqa: ANN401 - any value
    """Replace texts: `replace({'a': 'b'})` as in Pebble, and `replace('a', 'b')`."""
    for find, put in (replace_pairs if isinstance(replace_pairs, Mapping) else {replace_pairs: new}).items():
        if not find:
            raise ExpressionError("replace needs a text to look for")
        find_text, put_text = text_of(find), text_of(put)
        if regexp:
            text = replaced(text, find_text, put_text)
            continue
        check_size(len(text) + text.count(find_text) * len(put_text))
        text = text.replace(find_text, put_text)
        spend(len(text))
    return text


_SHOWN = 40

_NUMBER_TYPES: Mapping[str, Callable[[str], int | float]] = {
    **dict.fromkeys(("INT", "LONG", "BIGINTEGER"), int),
    **dict.fromkeys(("FLOAT", "DOUBLE", "BIGDECIMAL"), float),
}


def _number(text: str, type: str | None = None) -> int | float:  # noqa: A002 - Kestra's name
    if type is not None and type not in _NUMBER_TYPES:
        raise ExpressionError(f"number has no type {type!r}; there is {', '.join(_NUMBER_TYPES)}")
    for read in (int, float) if type is None else (_NUMBER_TYPES[type],):
        with contextlib.suppress(ValueError):
            return read(text)
    raise ExpressionError(f"{text[:_SHOWN]!r} is not a number" + (f" of the type {type}" if type else ""))


def _abbreviated(text: str, length: int) -> str:
    """As AbbreviateFilter.java of Pebble: a text of just this length is abbreviated, too."""
    if length < 0:
        raise ExpressionError("abbreviate takes a length that is not negative")
    if len(text) < length or len(text) <= len(_ELLIPSIS):
        return text
    return text[:length] if length <= len(_ELLIPSIS) else text[: length - len(_ELLIPSIS)] + _ELLIPSIS


_ELLIPSIS = "..."


def _hash(algorithm: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ExpressionError("this is not valid Base64 of a text") from error


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _title(text: str) -> str:
    return re.sub(r"\S+", lambda word: _capitalized(word[0]), text)


def _slug(text: str) -> str:
    """As Kestra's Slugify.java: accents are dropped, and so is everything but ASCII letters, digits and dashes."""
    letters = unicodedata.normalize("NFD", re.sub(r"[ \t\n\v\f\r]", "-", text))
    dashed = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9_-]", "", letters).replace("_", "-"))
    return dashed.removeprefix("-").removesuffix("-").lower()


def _before(text: str, separator: str) -> str:
    return text.partition(separator)[0]


def _after(text: str, separator: str) -> str:
    return text.partition(separator)[2]


def _before_last(text: str, separator: str) -> str:
    before, found, last = text.rpartition(separator)
    return before if found else last


def _after_last(text: str, separator: str) -> str:
    _, found, last = text.rpartition(separator)
    return last if found else ""


def _indented(text: str, amount: int, prefix: str = " ") -> str:
    """Indent every line but the first."""
    check_size(len(text) + text.count("\n") * len(prefix) * amount)
    return text.replace("\n", "\n" + prefix * amount) if "\n" in text else text


_ESCAPES = {"single": ("'", "\\'"), "double": ('"', '\\"'), "shell": ("'", "'\\''")}


def _escaped(text: str, type: str) -> str:  # noqa: A002 - Kestra's name
    if type not in _ESCAPES:
        raise ExpressionError(f"escapeChar has no type {type!r}; there is {', '.join(_ESCAPES)}")
    check_size(4 * len(text))
    return text.replace(*_ESCAPES[type])


def _encoded(text: str) -> str:
    check_size(3 * len(text.encode()))
    return urllib.parse.quote_plus(text)


TEXT_FILTERS: Mapping[str, Filter] = {
    name: Filter(_of_text(apply), purpose, example, result)
    for name, apply, purpose, example, result in (
        ("upper", str.upper, "in upper case", "'a' | upper", "A"),
        ("lower", str.lower, "in lower case", "'A' | lower", "a"),
        ("capitalize", _capitalized, "the first letter in upper case", "'a b' | capitalize", "A b"),
        ("title", _title, "the first letter of each word in upper case", "'a b' | title", "A B"),
        ("trim", str.strip, "without white space at both ends", "' a ' | trim", "a"),
        ("replace", _replace, "with some texts replaced by others", "'a-b' | replace({'-': '_'})", "a_b"),
        ("split", split, "the list of the parts between delimiters", "'a,b' | split(',')", '["a","b"]'),
        ("substringBefore", _before, "the part before the first match", "'a.b.c' | substringBefore('.')", "a"),
        ("substringBeforeLast", _before_last, "before the last match", "'a.b.c' | substringBeforeLast('.')", "a.b"),
        ("substringAfter", _after, "the part after the first match", "'a.b.c' | substringAfter('.')", "b.c"),
        ("substringAfterLast", _after_last, "after the last match", "'a.b.c' | substringAfterLast('.')", "c"),
        ("startsWith", str.startswith, "whether it starts with a text", "'ab' | startsWith('a')", "true"),
        ("endsWith", str.endswith, "whether it ends with a text", "'ab' | endsWith('a')", "false"),
        ("string", str, "as text", "7 | string | length", "1"),
        ("number", _number, "as a number", "('7' | number) + 1", "8"),
        ("slugify", _slug, "as a name for files and URLs", "'Hello World!' | slugify", "hello-world"),
        ("escapeChar", _escaped, "with quotes escaped (single, double, shell)", "\"'\" | escapeChar('shell')", "'\\''"),
        ("indent", _indented, "with every line but the first indented", "'a\\nb' | indent(2)", "a\n  b"),
        ("urlencode", _encoded, "encoded as part of a URL", "'a b&c' | urlencode", "a+b%26c"),
        ("urldecode", urllib.parse.unquote_plus, "decoded from part of a URL", "'a+b' | urldecode", "a b"),
        ("base64encode", _base64, "as Base64", "'a' | base64encode", "YQ=="),
        ("base64decode", _decoded, "the text of Base64", "'YQ==' | base64decode", "a"),
        ("abbreviate", _abbreviated, "cut to a length, with ... at its end", "'abcdefgh' | abbreviate(6)", "abc..."),
        ("md5", _hash("md5"), "its MD5", "'a' | md5 | slice(0, 8)", "0cc175b9"),
        ("sha1", _hash("sha1"), "its SHA-1", "'a' | sha1 | slice(0, 8)", "86f7e437"),
        ("sha256", _hash("sha256"), "its SHA-256", "'a' | sha256 | slice(0, 8)", "ca978112"),
        ("sha512", _hash("sha512"), "its SHA-512", "'a' | sha512 | slice(0, 8)", "1f40fc92"),
    )
}  # fmt: skip
