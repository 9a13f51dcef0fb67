"""Literal credentials are cut out of the manifest that is kept."""

import pytest
import yaml

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


AUTHS = '{"auths": {"r.io": {"auth": "aHVudGVyMg=="}}}'


@pytest.mark.parametrize(
    "written",
    [
        f"config: '{AUTHS}'",
        f"config: |\n      {AUTHS}\n",
        f"config: {AUTHS}",
        f"dockerConfig: {AUTHS}",
        "credentials: {registry: r.io, username: me, password: aHVudGVyMg==}",
        "credentials: {auth: aHVudGVyMg==}",
        "credentials:\n      registryToken: aHVudGVyMg==\n      identityToken: aHVudGVyMg==",
        "credentials: &c {auth: aHVudGVyMg==}\n  broken: [",
        f"config: '{AUTHS}'\n  broken: [",
    ],
)
def test_logins_of_an_old_docker_are_cut_out(written: str) -> None:
    text = f"commands: [ls]\ndocker:\n    image: a\n    {written}\n"
    assert "aHVudGVyMg" not in redacted(text)
    assert "image: a" in redacted(text)


def test_a_login_is_cut_out_wherever_its_anchor_is_used() -> None:
    text = "x: &d {image: a, credentials: {password: hunter2, auth: hunter2}}\ntasks:\n  - {id: a, docker: *d}\n"
    assert "hunter2" not in redacted(text)
    assert yaml.safe_load(redacted(text))["tasks"][0]["docker"]["image"] == "a"


def test_names_and_secrets_of_logins_stay() -> None:
    """So that the copy of a flow without literal credentials is the flow."""
    login = "{registry: r.io, username: me, password: \"{{ secret('P') }}\"}"
    text = f"commands: [ls]\ndocker: {{image: a, credentials: {login}, config: \"{{{{ secret('C') }}}}\"}}\n"
    assert redacted(text) == text
    assert redacted("env: {config: a, auth: b}\ncommands: [x]\n") == "env: {config: a, auth: b}\ncommands: [x]\n"
