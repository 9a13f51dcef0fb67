r"""Java's regular expressions, which Kestra's users write, on an engine whose time is linear in the text (RE2).

https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/util/regex/Pattern.html and
https://github.com/google/re2/wiki/Syntax. What is written differently in both is translated: `\s` has the vertical tab,
`.` none of five line terminators, `\h \v \uFFFF \0101 \e`, `\p{Alpha}`, `\p{IsLatin}`, `(?<name>…)`. What RE2 lacks is
refused by name: back references, look-around, atomic groups, possessive quantifiers, classes within classes and their
intersections, `\G \R \X \Z`, the flags d, u, U and x, and of `\p` the blocks (`\p{InGreek}`) and Java's own classes
(`\p{javaLowerCase}`, `\p{IsAlphabetic}`). Two differences are left: with `(?i)` letters outside ASCII
match in either case too, and `$` stands only at the very end of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

LONGEST = 1000
MAX_PROGRAM = 2000  # the time for a text grows with its length times this
_SHOWN = 60


class RegexError(ValueError):
    """A regular expression is not valid, or uses what cannot be matched in bounded time."""


@lru_cache(maxsize=256)
def compiled(java: str) -> Any:  # noqa: ANN401 - RE2's type is private, and the package has no types
    """RE2's form of one of Java's regular expressions. Raises RegexError."""
    if len(java) > LONGEST:
        raise RegexError(f"a regular expression may have {LONGEST} characters, this one has {len(java)}")
    found = engine(translated(java), java)
    if found.programsize > MAX_PROGRAM:
        raise RegexError(
            f"the regular expression {_shown(java)} is too large once its repetitions and classes are written out"
        )
    return found


def engine(expression: str, shown: str) -> Any:  # noqa: ANN401 - as above
    """Compile an expression in RE2's syntax. Raises RegexError, which names the expression as it was written."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise RegexError(f"the regular expression {_shown(shown)} is not valid: {reason}") from error


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def literal(text: str) -> str:
    """An expression for the text itself, also within a class."""
    return "".join(each if each.isalnum() and each.isascii() else f"\\x{{{ord(each):x}}}" for each in text)


_CHARACTER = (
    r"|(?P<octal>\\0[0-3]?[0-7]{1,2})|(?P<hex>\\(?:u|x(?!\{))(?P<digits>[0-9A-Fa-f]{4}|(?<=x)[0-9A-Fa-f]{2}))"
    r"|(?P<code>\\x\{[0-9A-Fa-f]+\})|(?P<property>\\[pP](?:\{[^}]*\}|.))|(?P<escape>\\.)"
)
_OUTSIDE = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)"
    r"|(?P<reference>\\[1-9]|\\k<)" + _CHARACTER + r"|(?P<look>\(\?<?[=!])|(?P<atomic>\(\?>)"
    r"|(?P<flags>\(\?(?P<on>[a-zA-Z]*)(?:-[a-zA-Z]*)?[:)])|\(\?<(?P<name>[A-Za-z][A-Za-z0-9]*)>"
    r"|(?P<possessive>(?:[*+?]|\{\d+(?:,\d*)?\})\+)|(?P<syntax>[*+?]\??|\{\d+(?:,\d*)?\}\??|[()|^$])"
    r"|(?P<brace>\{)|(?P<class>\[\^?)|(?P<any>\.)|(?P<text>.)",
    re.DOTALL,
)
_INSIDE = re.compile(
    r"\\Q(?P<quoted>.*?)(?:\\E|\Z)" + _CHARACTER + r"|(?P<nested>\[)|(?P<both>&&)|(?P<end>\])|(?P<range>-)|(?P<text>.)",
    re.DOTALL,
)
_LACKING = {
    "reference": "back references",
    "look": "look-ahead or look-behind",
    "atomic": "atomic groups",
    "possessive": "possessive quantifiers",
    "nested": "classes within classes",
    "both": "intersections of classes (&&)",
}
_SAME = frozenset("dDwWbBAztnrfa")
_SETS = {
    "s": r"\t\n\x0b\f\r ",
    "S": r"\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{10ffff}",
    "h": r"\t \x{a0}\x{1680}\x{180e}\x{2000}-\x{200a}\x{202f}\x{205f}\x{3000}",
    "v": r"\n\x0b\f\r\x{85}\x{2028}\x{2029}",
}
_NEGATED = {"H": "h", "V": "v"}
_POSIX = frozenset({
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper",
    "xdigit",
})  # fmt: skip
_ANY = r"[^\n\r\x{85}\x{2028}\x{2029}]"
_FLAGS = frozenset("ims")


def translated(java: str) -> str:
    """One of Java's regular expressions in RE2's syntax. Raises RegexError for what RE2 lacks."""
    return "".join(_outside(java))


def _outside(java: str) -> Iterator[str]:
    place, any_character = 0, _ANY
    while match := _OUTSIDE.match(java, place):
        place = match.end()
        match match.lastgroup:
            case "class":
                text, place = _class(java, match.group(), place)
                yield text
            case "any":
                yield any_character
            case "flags":
                if match["on"] and "s" in match["on"]:
                    any_character = "(?s:.)"
                yield _flags(java, match)
            case "name":
                yield f"(?P<{match['name']}>"
            case "syntax":
                yield match.group()
            case "brace":
                raise RegexError(
                    f"the regular expression {_shown(java)} is not valid: a repetition is {{n}} or {{n,m}}"
                )
            case _:
                yield _character(java, match, in_class=False)


def _flags(java: str, match: re.Match[str]) -> str:
    if lacking := sorted(set(match.group()[2:-1]) - _FLAGS - {"-"}):
        raise _refusal(java, f"the flag {lacking[0]}")
    return match.group()


def _class(java: str, start: str, place: int) -> tuple[str, int]:
    """A class of characters, of which `start` was read, and the place after it. As in Java, a first `]` is a member."""
    parts = [start]
    while match := _INSIDE.match(java, place):
        place = match.end()
        if match.lastgroup == "end" and len(parts) > 1:
            return "".join([*parts, "]"]), place
        if match.lastgroup == "range":
            is_range = len(parts) > 1 and java[place : place + 1] not in ("]", "")
            parts.append("-" if is_range else literal("-"))
        else:
            parts.append(literal("]") if match.lastgroup == "end" else _character(java, match, in_class=True))
    raise RegexError(f"the regular expression {_shown(java)} is not valid: a class of characters has no end")


def _character(java: str, match: re.Match[str], *, in_class: bool) -> str:
    """A character, a quoted text, or a class that has a name."""
    kind, text = match.lastgroup or "", match.group()
    match kind:
        case "property":
            return _property(java, text, in_class=in_class)
        case "escape":
            return _escape(java, text, in_class=in_class)
        case "code":
            return text
    if kind in _LACKING:
        raise _refusal(java, _LACKING[kind])
    if text == "\\":
        raise RegexError(f"the regular expression {_shown(java)} is not valid: it ends in a backslash")
    codes = {"octal": (text[2:], 8), "hex": (match["digits"], 16)}
    return literal(chr(int(*codes[kind])) if kind in codes else match["quoted"] if kind == "quoted" else text)


def _escape(java: str, text: str, *, in_class: bool) -> str:
    name = text[1]
    if name in _SAME:
        return text
    if name == "e":
        return r"\x1b"
    if name in _SETS:
        return _SETS[name] if in_class else f"[{_SETS[name]}]"
    if name in _NEGATED and not in_class:
        return f"[^{_SETS[_NEGATED[name]]}]"
    if name.isalnum():
        raise _refusal(java, text)
    return literal(name)


def _property(java: str, text: str, *, in_class: bool) -> str:
    r"""A class such as `\p{Alpha}` (of ASCII, as in Java), `\p{Lu}` or `\p{IsLatin}`."""
    name = text[3:-1] if text[2] == "{" else text[2:]
    if name.lower() in _POSIX:
        posix = f"[:{'^' if text[1] == 'P' else ''}{name.lower()}:]"
        return posix if in_class else f"[{posix}]"
    found = f"\\{text[1]}{{{name.removeprefix('Is')}}}"
    try:
        engine(found, java)
    except RegexError as error:
        raise _refusal(java, text) from error
    return found


def _refusal(java: str, what: str) -> RegexError:
    return RegexError(f"the regular expression {_shown(java)} uses {what}, which cannot be used here; write it without")
