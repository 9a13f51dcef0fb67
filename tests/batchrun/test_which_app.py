"""Which app a command means, in which order, and what is said when nobody has named it."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from batchrun.__main__ import main
from batchrun.cli import _which
from batchrun.client.addresses import Address
from batchrun.errors import ClientError, Unreachable, UsageError

KEY = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5;EndpointSuffix=core.windows.net"


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """The environment of somebody who has configured nothing, in a folder of a project."""
    for name in ("BATCHRUN_STORAGE", "BATCHRUN_STACK", "AZURE_ENV_NAME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "project" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "below")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.fixture
def folder(tmp_path):
    """Where commands are typed: below the project."""
    return tmp_path / "project" / "below"


def url_of(choice):
    return choice.place.settings["RunStorage__blobServiceUri"]


def make_azd(folder: Path, values: str, name: str = "dev") -> None:
    (folder / ".azure" / name).mkdir(parents=True)
    (folder / ".azure" / "config.json").write_text(json.dumps({"version": 1, "defaultEnvironment": name}))
    (folder / ".azure" / name / ".env").write_text(values)


def make_stack(folder: Path) -> Path:
    (folder / ".local").mkdir()
    file = folder / ".local" / "stack.json"
    file.write_text("{}")
    return file


PROVISIONED = 'AZURE_ENV_NAME="dev"\nSTORAGE_ACCOUNT_NAME="stdev"\nBATCH_ACCOUNT_NAME="badev"\n'


def test_what_is_named_comes_before_what_is_found_and_each_in_its_order(environ, folder):
    """Everything is there; then the first is taken away, and the next is meant."""
    stack = make_stack(folder.parent)
    make_azd(folder.parent, PROVISIONED)
    main(["use", "other", "--storage", "https://stother.blob.core.windows.net"])
    main(["use", "prod", "--storage", "https://stprod.blob.core.windows.net"])
    environ |= {"BATCHRUN_STORAGE": "https://stenv.blob.core.windows.net", "BATCHRUN_STACK": "/x/stack.json"}

    assert url_of(_which.named("other", environ, folder)) == "https://stother.blob.core.windows.net"
    choice = _which.found(environ, folder)
    assert (url_of(choice), choice.guess) == ("https://stenv.blob.core.windows.net", "")
    del environ["BATCHRUN_STORAGE"]
    assert _which.found(environ, folder) == _which.Choice(Path("/x/stack.json"))
    del environ["BATCHRUN_STACK"]
    choice = _which.found(environ, folder)
    assert (url_of(choice), choice.guess) == (
        "https://stprod.blob.core.windows.net",
        "the app 'prod', chosen with `batchrun use`",
    )
    (Path(environ["XDG_CONFIG_HOME"]) / "batchrun" / "config.toml").unlink()
    choice = _which.found(environ, folder)
    assert url_of(choice) == "https://stdev.blob.core.windows.net"
    assert choice.guess == "the app of the azd environment 'dev', https://stdev.blob.core.windows.net"
    (folder.parent / ".azure" / "config.json").unlink()
    assert _which.found(environ, folder) == _which.Choice(stack, guess=f"the local stack in {stack.parent}")
    stack.unlink()
    with pytest.raises(Unreachable, match="No app is named, and none is found from here"):
        _which.found(environ, folder)


def test_local_is_the_nearest_stack_or_that_of_the_variable(environ, folder):
    nearest = make_stack(folder.parent)
    make_stack(folder.parent.parent)
    assert _which.named("local", environ, folder).place == nearest
    assert _which.named("local", environ | {"BATCHRUN_STACK": "/x/s.json"}, folder).place == Path("/x/s.json")


@pytest.mark.parametrize(
    "values",
    ["", 'AZURE_ENV_NAME="dev"\n', 'STORAGE_ACCOUNT_NAME="x"\n', 'STORAGE_ACCOUNT_NAME=""\nBATCH_ACCOUNT_NAME=""\n'],
    ids=["empty", "not provisioned", "of another project", "without values"],
)
def test_an_azd_environment_without_an_app_is_passed_over(environ, folder, values):
    make_azd(folder, values)
    stack = make_stack(folder)
    assert _which.found(environ, folder).place == stack


def test_azd_has_another_environment_by_its_variable(environ, folder):
    make_azd(folder, PROVISIONED)
    (folder / ".azure" / "test").mkdir()
    (folder / ".azure" / "test" / ".env").write_text("STORAGE_ACCOUNT_NAME='sttest'\nBATCH_ACCOUNT_NAME=b\n")
    choice = _which.found(environ | {"AZURE_ENV_NAME": "test"}, folder)
    assert url_of(choice) == "https://sttest.blob.core.windows.net"


def test_what_another_user_has_put_above_the_folder_is_not_followed(environ, folder, monkeypatch):
    """In a folder such as /tmp anybody can write: a manifest must not be sent to a storage account of theirs."""
    make_azd(folder, PROVISIONED)
    make_stack(folder)
    monkeypatch.setattr("os.getuid", lambda: 12345)
    with pytest.raises(Unreachable):
        _which.found(environ, folder)


def test_use_keeps_names_in_a_file_of_its_owner(environ, capsys):
    assert main(["use", "prod", "--storage", KEY]) == 0
    assert main(["use", "test", "--storage", "https://sttest.blob.core.windows.net"]) == 0
    assert main(["use", "prod"]) == 0
    file = Path(environ["XDG_CONFIG_HOME"]) / "batchrun" / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert _which.found(environ, Path.cwd()).place == Address({"RunStorage": KEY})
    assert "Commands use prod from now on" in capsys.readouterr().out
    assert main(["use", "local"]) == 0
    assert main(["ls"]) == 3
    assert "No stack is running in .local" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["use", "nobody"], "There is no app 'nobody'. Known are: local. To add it: batchrun use nobody --storage"),
        (["use", "a b", "--storage", "https://a.blob.core.windows.net"], "'a b' cannot be the name of an app"),
        (["use", "local", "--storage", "https://a.blob.core.windows.net"], "'local' is the stack on this machine"),
        (["use", "x", "--storage", "http://a.blob.core.windows.net"], "--storage is not an https:// URL"),
        (["use", "x", "--storage", "a.blob.core.windows.net"], "--storage is not an https:// URL"),
        (["use", "x", "--storage", "https://a.blob.core.windows.net/?sv=1&sig=x"], "must have no query"),
        (["use", "x", "--storage", "https://me:pw@a.blob.core.windows.net"], "must have no query, user"),
        (["use", "x", "--storage", "https://a.blob.core.windows.net/results/x.yaml"], "names a blob"),
        (["use", "x", "--storage", "https://[a"], "is not an https:// URL"),
        (["use", "x", "--storage", "AccountName=a;BlobEndpoint=https://x"], "is neither a connection string nor a URL"),
        (["ls", "--app", "nobody"], "There is no app 'nobody'"),
    ],
)
@pytest.mark.usefixtures("environ")
def test_what_is_no_app_is_wrong_usage(arguments, reason, capsys):
    assert main(arguments) == 2
    assert reason in capsys.readouterr().err


def test_a_configuration_that_is_damaged_is_told_with_its_place(environ, capsys):
    file = Path(environ["XDG_CONFIG_HOME"]) / "batchrun" / "config.toml"
    file.parent.mkdir(parents=True)
    for text in ("[", "apps = 1", "[apps.x]\n"):
        file.write_text(text)
        assert main(["ls"]) == 1
        assert f"{file} cannot be read:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "endpoint", "results"),
    [
        ("https://a.blob.core.windows.net", "https://a.blob.core.windows.net", "results"),
        ("https://a.blob.core.windows.net/", "https://a.blob.core.windows.net", "results"),
        ("https://a.blob.core.windows.net/mine/", "https://a.blob.core.windows.net", "mine"),
        ("https://127.0.0.1:10000/devstoreaccount1", "https://127.0.0.1:10000/devstoreaccount1", "results"),
        ("https://localhost:1/devstoreaccount1/mine", "https://localhost:1/devstoreaccount1", "mine"),
    ],
)
def test_an_address_is_an_account_and_the_container_of_results(text, endpoint, results):
    assert Address.of(text, "x") == Address({"RunStorage__blobServiceUri": endpoint}, results)


@pytest.mark.parametrize("services", ["storage", "batch", "both"])
def test_a_stack_that_names_services_elsewhere_is_refused(tmp_path, services):
    """Somebody may have put it there, to get what is dropped and the token of whoever drops it."""
    local = "AccountName=devstoreaccount1;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:1/devstoreaccount1"
    settings = {"RunStorage": local, "BATCH_ACCOUNT_ENDPOINT": "http://127.0.0.1:1", "BATCH_ACCOUNT_NAME": "a"}
    if services in {"storage", "both"}:
        del settings["RunStorage"]
        settings["RunStorage__blobServiceUri"] = "https://127.0.0.1.example.com"
    if services in {"batch", "both"}:
        settings["BATCH_ACCOUNT_ENDPOINT"] = "https://example.com"
    (tmp_path / "stack.json").write_text(json.dumps({"settings": settings}))
    with pytest.raises(ClientError, match="names services that are not on this machine"):
        _which.of_data_dir(tmp_path).open("batchrun")


def test_a_usage_error_is_no_client_error_of_reaching():
    assert (UsageError.exit_code, ClientError.exit_code, Unreachable.exit_code) == (2, 1, 3)
