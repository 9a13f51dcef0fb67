"""Literal credentials are cut out of the manifest that is kept."""

import pytest

from shared.errors import ManifestError
from shared.manifest.read import read_manifest
from shared.manifest.redaction import redacted

HEAD = "commands: [ls]\ntaskRunner:\n  registry:\n    "


@pytest.mark.parametrize(
    "written",
    [
        "password: hunter2",
        "password: >-\n      hunter2",
        "password: |\n      hunter1\n      hunter2\n",
        "password: # comment\n      hunter2",
        'password: "hunter1\n      hunter2"',
        "password: &anchor\n      hunter2",
        '"pass\\u0077ord": hunter2',
        "? password\n    : hunter2",
        "password: [hunter2]",
        "password: {a: hunter2}",
        "password: !hunter2 x",
        "password: *hunter2",
        "password: hunter2\n  broken: [",
    ],
)
def test_a_literal_credential_is_kept_nowhere_however_it_is_written(written: str) -> None:
    text = HEAD + written
    assert "hunter2" not in redacted(text)
    with pytest.raises(ManifestError) as caught:
        read_manifest(text, "m.yaml")
    assert "hunter2" not in str(caught.value).replace("undefined alias", "")


def test_everything_else_stays_as_it_was_written() -> None:
    text = HEAD + "password: \"{{ secret('P') }}\" # mine\n    userName: me # hunter\nenv: {password_file: x}\n"
    assert redacted(text) == text
    assert (
        redacted(HEAD + "password: |\n      x\n    userName: me\n") == HEAD + 'password: "******"\n    userName: me\n'
    )


@pytest.mark.parametrize(
    "value", ["{{ secret('P') }}", "'{{ secret(\"P\") }}'", "\"{{ secret('P') }}\", # mine", "{{ secret('P') ?? '' }}"]
)
def test_a_secret_is_left_in_what_cannot_be_parsed(value: str) -> None:
    text = f"broken: [\npassword: {value}\n"
    assert redacted(text) == text


@pytest.mark.parametrize(
    "value", ["{{ secret('P') }}hunter2", "'{{ secret('P') }}' hunter2", "{{ vars.p }}", "hunter2 {{ secret('P') }}"]
)
def test_what_only_looks_like_a_secret_is_cut_out_of_it(value: str) -> None:
    assert redacted(f"broken: [\npassword: {value}\n") == 'broken: [\npassword: "******"\n'


def test_json() -> None:
    assert redacted('{"accessKey": "hunter2", "x": 1}') == '{"accessKey": "******", "x": 1}'


def test_large_hostile_values_take_linear_time() -> None:
    assert "secret(" not in redacted('password: "{{ ' + "secret(" * 40_000 + '"')
