"""Dockerfile, compose.yaml and the examples, by the schemas and checkers that others have made for them."""

from __future__ import annotations

import re
import sys

import pytest

from tests.deploy.files import COMPOSE, DEPLOY, SECRET, SERVICES, UNITS, ran, tool


def test_compose_yaml_is_what_the_specification_of_compose_allows() -> None:
    ran(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / "compose.yaml"))


def test_no_secret_has_a_default_and_every_one_is_in_the_example() -> None:  # SEC-13
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yaml").read_text("utf-8")))
    example = dict(
        line.split("=", 1) for line in (DEPLOY / ".env.example").read_text("utf-8").splitlines() if line[:1].isupper()
    )
    assert asked == set(example)
    assert set(example.values()) == {"", "haetae:"}
    for name, service in SERVICES.items():
        for variable, value in service["environment"].items():
            if SECRET.search(variable) and value and not variable.endswith(("_PATH", "INITDB_ARGS")):
                assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), f"{name}: {variable}"


def test_every_variable_that_may_be_set_is_in_the_example() -> None:
    asked = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text("utf-8")))
    example = (DEPLOY / ".env.example").read_text("utf-8")
    assert set(re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE)) == asked


def test_people_reach_mlflow_at_the_port_that_is_published() -> None:
    (word,) = (word for word in SERVICES["mlflow"]["command"] if word.startswith("--allowed-hosts="))
    code = "import sys; from composed import _filled_in; print(_filled_in(sys.argv[1], {'MLFLOW_PORT': '5999'}))"
    hosts = ran(sys.executable, "-c", code, word, cwd=DEPLOY).strip().partition("=")[2].split(",")
    assert {"localhost:5999", "127.0.0.1:5999"} <= set(hosts)
    assert {"mlflow:5000", "localhost:5000"} <= set(hosts)  # workers, and the health check


def test_only_loopback_is_published_and_postgres_not_at_all() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"mlflow", "prefect", "dashboard"}
    assert all(port.startswith("${HAETAE_PUBLISH:-127.0.0.1}:") for (port,) in published.values())
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))
    assert "test" in service["healthcheck"] or service["healthcheck"] == {"disable": True}
    ends = name in ("deploy", "mlflow-tables")
    assert service["deploy"]["resources"]["limits"] if not ends else "deploy" not in service


def test_where_postgres_is_is_said_once_in_compose() -> None:
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    assert "@postgres" not in text
    assert text.count("PGHOST: postgres\n") == 1
    for name in ("mlflow-tables", "mlflow", "prefect", "deploy", "worker", "dashboard"):
        assert SERVICES[name]["environment"]["PGHOST"] == "postgres"


def test_a_proxy_may_be_named_to_the_dashboard() -> None:
    assert SERVICES["dashboard"]["environment"]["FORWARDED_ALLOW_IPS"] == "${FORWARDED_ALLOW_IPS:-127.0.0.1}"
    assert "# FORWARDED_ALLOW_IPS=127.0.0.1\n" in (UNITS / "haetae.env.example").read_text("utf-8")


def test_who_signed_out_of_the_dashboard_outlives_its_container() -> None:
    dashboard = SERVICES["dashboard"]
    assert dashboard["environment"]["HAETAE_HOME"] == "/data/haetae"
    assert dashboard["volumes"] == ["dashboard:/data"]
    assert "dashboard" in COMPOSE["volumes"]
    assert "/data" not in dashboard["tmpfs"]


def test_the_examples_name_only_what_the_settings_know() -> None:
    """W&B's modes, and the variables of alerts, as they are read."""
    (modes,) = re.findall(r"^# W&B: (.*); online", (DEPLOY / ".env.example").read_text("utf-8"), re.MULTILINE)
    env = {"PATH": "/usr/bin:/bin", "HAETAE_HOME": "/nowhere"}
    shown = "s.wandb_mode, len(s.alerts), len(s.alerts_allow), s.link"
    code = f"from haetae import load_settings; s = load_settings(); print({shown})"
    for mode in re.split(", | or ", modes):
        assert ran(sys.executable, "-c", code, env={**env, "HAETAE_WANDB_MODE": mode}).split()[0] == mode
    text = (DEPLOY / "worker.env.example").read_text("utf-8")
    told = dict(re.findall(r"^# (HAETAE_[A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert told.keys() == {"HAETAE_ALERTS", "HAETAE_ALERTS_ALLOW", "HAETAE_LINK"}
    assert ran(sys.executable, "-c", code, env={**env, **told}) == "offline 2 2 https://haetae.example.com\n"


def test_the_dockerfile_passes_its_linter_and_runs_nothing_as_root() -> None:
    text = (DEPLOY / "Dockerfile").read_text("utf-8")
    ran(tool("hadolint"), "--failure-threshold", "info", str(DEPLOY / "Dockerfile"))
    instructions = [line.split()[0] for line in text.splitlines() if re.match(r"[A-Z]+ ", line)]
    last = text.rindex("\nFROM ")
    assert "\nUSER 10001:10001\n" in text[last:]
    assert "RUN" not in instructions[instructions.index("USER") :]
    assert text.count("--require-hashes --no-deps") == 2
    assert not SECRET.search(text.replace("HAETAE_DASHBOARD_LOGIN says", ""))


def test_what_the_dockerfile_copies_exists_and_is_let_through() -> None:
    let_through = set(re.findall(r"^!(.*)$", (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8"), re.MULTILINE))
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE):
        copied |= set(line.split())
    assert copied == let_through
    assert all((DEPLOY.parent / name).exists() for name in copied)


def test_what_builds_the_package_is_found_with_its_hashes() -> None:
    (script,) = re.findall(r"sed -n '([^']+)'", (DEPLOY / "Dockerfile").read_text("utf-8"))
    found = ran("sed", "-n", script, str(DEPLOY / "constraints-dev.txt"))
    assert re.fullmatch(r"setuptools==\S+ \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+", found)
