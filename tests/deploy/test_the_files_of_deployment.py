"""Dockerfile, compose.yaml, the manifests and the units, by the schemas and checkers that others have made for them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
K8S, UNITS = DEPLOY / "k8s", DEPLOY / "systemd"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
SECRET = re.compile(r"PASSWORD|SECRET|AUTH|LOGIN|_KEY$")


def ran(*command: str, **more: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
    return done.stdout


def tool(name: str) -> str:
    """A program that came with the tests' packages."""
    return str(Path(sys.executable).parent / name)


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
    assert service["deploy"]["resources"]["limits"] if name != "deploy" else True


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


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `kubectl apply -k deploy/k8s/trial` would send."""
    folder = tmp_path_factory.mktemp("k8s") / "k8s"
    shutil.copytree(K8S, folder)
    (folder / "trial" / "secret.env").write_text(ran(sys.executable, str(DEPLOY / "fresh_env.py")), "utf-8")
    if kubectl := shutil.which("kubectl"):
        return list(yaml.safe_load_all(ran(kubectl, "kustomize", str(folder / "trial"))))
    return list(_resources(folder / "trial"))


def _resources(place: Path) -> Iterator[dict[str, Any]]:
    """What the kustomizations name, as it stands in the files: nothing is generated, labelled or renamed."""
    if place.is_file():
        yield from yaml.safe_load_all(place.read_text("utf-8"))
        return
    for name in yaml.safe_load((place / "kustomization.yaml").read_text("utf-8"))["resources"]:
        yield from _resources(place / name)


def test_every_manifest_is_one_that_kubernetes_takes(manifests: list[dict[str, Any]], tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(manifests), "utf-8")
    said = ran(tool("kubernetes-validate"), "--strict", "-k", "1.32", str(file))
    assert said.count("passed for resource") == len(manifests) > 20


def pods(manifests: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in manifests:
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield each["metadata"]["name"], template


def test_every_pod_is_restricted(manifests: list[dict[str, Any]]) -> None:
    names = []
    for name, template in pods(manifests):
        names.append(name)
        spec = template["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            for variable in container.get("env", []):
                if SECRET.search(variable["name"]) and not variable["name"].endswith(("_PATH", "INITDB_ARGS")):
                    assert "secretKeyRef" in variable["valueFrom"], f"{name}: {variable['name']}"
    assert sorted(names) == ["backup", "dashboard", "deploy", "mlflow", "postgres", "prefect", "worker"]


def test_a_service_named_prefect_does_not_set_prefects_own_variables(manifests: list[dict[str, Any]]) -> None:
    """Kubernetes would give every pod PREFECT_PORT=tcp://…, which Prefect reads as a setting."""
    ours = [template["spec"] for name, template in pods(manifests) if name not in ("postgres", "backup")]
    assert all(spec.get("enableServiceLinks") is False for spec in ours)


def test_every_pod_is_named_by_a_policy_and_none_reaches_the_clouds_metadata(manifests: list[dict[str, Any]]) -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in manifests if each["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    (block,) = policies["to-models"]["egress"][0]["to"]
    assert "169.254.0.0/16" in block["ipBlock"]["except"]
    (named,) = policies["to-postgres"]["podSelector"]["matchExpressions"]
    assert set(named["values"]) == {name for name, _ in pods(manifests)} - {"postgres"}


def test_containers_pods_and_compose_start_the_same_commands(manifests: list[dict[str, Any]]) -> None:
    started = {name: template["spec"]["containers"][0].get("command") for name, template in pods(manifests)}
    for name in ("prefect", "deploy", "worker", "dashboard"):
        assert started[name] == SERVICES[name]["command"]
    ours = [word for word in SERVICES["mlflow"]["command"] if not word.startswith("--allowed-hosts")]
    assert [word for word in started["mlflow"] if not word.startswith("--allowed-hosts")] == ours
    for copy, original in {
        "base/mlflow-auth.ini": "mlflow-auth.ini",
        "trial/databases.sh": "postgres/databases.sh",
    }.items():
        assert (K8S / copy).read_bytes() == (DEPLOY / original).read_bytes()


def test_the_environment_of_pods_is_that_of_compose() -> None:
    config = dict(line.split("=", 1) for line in (K8S / "base" / "config.env").read_text("utf-8").splitlines())
    worker = {name: value for name, value in SERVICES["worker"]["environment"].items() if not SECRET.search(name)}
    worker["HAETAE_WANDB_MODE"] = "offline"
    own = {name for name in worker if name.startswith("PREFECT_WORKER_")} | {"RAY_USAGE_STATS_ENABLED"}
    assert config == {name: value for name, value in worker.items() if name not in own}


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with their programs where this environment has them."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    folder = shutil.copytree(UNITS, tmp_path_factory.mktemp("systemd") / "units")
    for file in folder.glob("*.service"):
        file.write_text(file.read_text("utf-8").replace("/opt/haetae/bin/", f"{Path(sys.executable).parent}/"), "utf-8")
    return folder


def test_what_runs_suites_has_time_to_end_and_flow_runs_are_told_by_their_worker() -> None:
    """To flow runs that are killed beside their worker the answers in flight are lost."""
    worker = (UNITS / "haetae-worker.service").read_text("utf-8").splitlines()
    assert {"KillMode=mixed", "TimeoutStopSec=120"} <= set(worker)
    assert "TimeoutStopSec=120" in (UNITS / "haetae-schedule.service").read_text("utf-8").splitlines()


def test_systemd_finds_nothing_amiss_in_the_units(units: Path) -> None:
    files = sorted(str(file) for file in units.glob("haetae-*.*") if file.is_file())
    assert len(files) == 8
    done = subprocess.run(
        ["systemd-analyze", "verify", *files], env={"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", [file.name for file in sorted(UNITS.glob("*.service"))])
def test_no_unit_is_exposed(units: Path, name: str) -> None:
    found = ran(
        "systemd-analyze", "security", "--offline=true", "--json=short", name,
        env={"SYSTEMD_UNIT_PATH": f"{units}:", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert sum(float(each["exposure"] or 0) for each in json.loads(found)) < 2.0, found
