"""What must never be seen."""

import json
import logging

import pytest

from shared.masking import MASK, Masker, MaskingFilter


def test_secrets_and_keys_are_masked_wherever_they_stand(settings) -> None:
    masker = Masker.of(settings)
    assert masker.mask_all({"a": ["x s3cr3t-t0ken y"], "s3cr3t-t0ken": 1}) == {"a": [f"x {MASK} y"], MASK: 1}
    assert masker.mask("YmF0Y2hrZXk= c3RvcmFnZWtleQ== topic-key") == f"{MASK} {MASK} {MASK}"


def test_account_names_endpoints_and_short_values_stay_readable(settings) -> None:
    text = "batch1 store1 https://batch1.westeurope.batch.azure.com"
    assert Masker.of(settings).mask(text) == text
    assert Masker(["yes", "12345"]).mask("yes 12345") == "yes 12345"


def test_a_secret_that_holds_another_one_is_masked_whole() -> None:
    assert Masker(["abcdef", "abcdefghi"]).mask("abcdefghi") == MASK


def test_log_lines_and_tracebacks_are_masked(caplog) -> None:
    log = logging.getLogger("masked")
    log.addFilter(MaskingFilter(Masker(["s3cr3t-t0ken"])))
    try:
        int("bad s3cr3t-t0ken")
    except ValueError:
        log.exception("with %s", "s3cr3t-t0ken")
    assert "s3cr3t" not in caplog.text
    assert f"with {MASK}" in caplog.text
    assert f"'bad {MASK}'" in caplog.text


@pytest.mark.parametrize("written", [str, repr, json.dumps, str.strip, lambda value: value.splitlines()[1]])
def test_a_secret_is_masked_however_it_is_written(written) -> None:
    """A key of several lines, with quotes and backslashes: as it is, quoted in a message, in JSON, one of its lines."""
    secret = '-----BEGIN KEY-----\nabc"def\\ghi-line\n-----END KEY-----\n'
    assert "ghi-line" not in Masker([secret]).mask(f"it is {written(secret)}!")


def test_a_number_that_is_a_secret_is_masked() -> None:
    assert Masker(["123456"]).mask_all({"pin": 123456, "n": 12, "b": True}) == {"pin": MASK, "n": 12, "b": True}
