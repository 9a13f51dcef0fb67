"""An option whose value is the address of a service."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit


def web_address(text: str) -> str:
    """Return the address as it is. Raises ArgumentTypeError, as argparse wants it, if it cannot be posted to."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(character.isspace() for character in text):
        raise argparse.ArgumentTypeError(f"'{text}' is not an address such as http://127.0.0.1:8000/events")
    return text
