"""Which options a task may give its container."""

import pytest

from shared.manifest.container_options import check_container_run_options


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        ("--memory 4g --cpus=2", "--memory=4g --cpus=2"),
        ("-m 4g", "--memory=4g"),
        ("--memory-swap -1", "--memory-swap=-1"),
        ("--gpus 'device=0,1' --ulimit nofile=1024:2048", "--gpus=device=0,1 --ulimit=nofile=1024:2048"),
        ("", ""),
    ],
)
def test_limits_and_devices_are_allowed(given: str, checked: str) -> None:
    assert check_container_run_options(given) == checked


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("--entrypoint /bin/bash", "use `interpreter`"),
        ("-u 1000", "use `runAs`"),
        ("--volume=/:/host", "can use only its own directory on the node"),
        ("--network host", "can use only its own directory on the node"),
        ("--privileged", "can use only its own directory on the node"),
        ("-v/:/host", "can use only its own directory on the node"),
        ("-m4g", "-m4g is not allowed"),
        ("--memory", "needs a value"),
        ("--memory --privileged", "needs a value"),
        ("--memory=$(id)", "is not a valid value"),
        ("--memory={{ vars.memory }}", "without expressions"),
        ("memory=4g", "expected an option"),
        ("--memory='4", "cannot be read"),
    ],
)
def test_everything_else_is_rejected_with_a_reason(given: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason.replace("$", "[$]")):
        check_container_run_options(given)
