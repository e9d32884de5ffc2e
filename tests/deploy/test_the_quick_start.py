"""The first `up` of compose or of a trial cluster: nothing has a schedule yet, and what waits for `deploy` starts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, SERVICES, tool

pytestmark = pytest.mark.real


@pytest.mark.parametrize("which", ["as compose mounts it", "as the image has it"])
def test_deploy_goes_through_in_the_folder_of_suites_as_it_is_shipped(
    prefect_server: None, tmp_path: Path, which: str
) -> None:
    from prefect.settings import PREFECT_API_URL

    (mounted,) = (volume for volume in SERVICES["deploy"]["volumes"] if volume.endswith(":/suites:ro"))
    suites = DEPLOY / mounted.removeprefix("${HAETAE_SUITES:-").partition("}")[0]
    assert (suites / "suite.yaml").is_file()
    if which == "as the image has it":
        suites = tmp_path / "suites"
        suites.mkdir()
    haetae, *words = SERVICES["deploy"]["command"]
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("HAETAE_", "PREFECT_"))},
        "HAETAE_HOME": str(tmp_path / "home"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": PREFECT_API_URL.value(),
    }
    done = subprocess.run(
        [tool(haetae), *words, f"--project={tmp_path.name}"],
        cwd=suites, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no suite with a schedule in .: no night is deployed." in done.stdout
    assert "work pool haetae: " in done.stdout


def test_worker_and_dashboard_wait_for_it() -> None:
    for name in ("worker", "dashboard"):
        assert SERVICES[name]["depends_on"]["deploy"] == {"condition": "service_completed_successfully"}
