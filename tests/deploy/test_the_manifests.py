"""The manifests of Kubernetes as `kubectl` makes them, beside the schemas of its API and beside compose.yaml."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import DEPLOY, K8S, SECRET, SERVICES, ran, tool


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
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            for variable in container.get("env", []):
                if SECRET.search(variable["name"]) and not variable["name"].endswith(("_PATH", "INITDB_ARGS")):
                    assert "secretKeyRef" in variable["valueFrom"], f"{name}: {variable['name']}"
    assert sorted(names) == ["backup", "dashboard", "deploy", "mlflow", "postgres", "prefect", "restore", "worker"]


def test_a_service_named_prefect_does_not_set_prefects_own_variables(manifests: list[dict[str, Any]]) -> None:
    """Kubernetes would give every pod PREFECT_PORT=tcp://…, which Prefect reads as a setting."""
    ours = [template["spec"] for name, template in pods(manifests) if name not in ("postgres", "backup", "restore")]
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


def config() -> dict[str, str]:
    """What every pod of ours is told."""
    lines = (K8S / "base" / "config.env").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_the_environment_of_pods_is_that_of_compose() -> None:
    worker = {name: value for name, value in SERVICES["worker"]["environment"].items() if not SECRET.search(name)}
    own = {name for name in worker if name.startswith("PREFECT_WORKER_")} | {"RAY_USAGE_STATS_ENABLED"}
    others = {
        "PGHOST": "postgres.haetae.svc",  # also from the namespace of KEDA
        "PGSSLMODE": "require",
        "HAETAE_WANDB_MODE": "off",  # what it keeps offline would end with the pod
        "HAETAE_DASHBOARD_HOSTS": "dashboard,dashboard.haetae.svc",
        "FORWARDED_ALLOW_IPS": "127.0.0.1",
    }
    assert config() == {name: value for name, value in worker.items() if name not in own} | others


def test_where_postgres_is_is_read_from_one_place_in_a_cluster(manifests: list[dict[str, Any]]) -> None:
    for name, template in pods(manifests):
        for container in [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]:
            assert name == "postgres" or "configMapRef" in container["envFrom"][0], name
            assert not {"PGHOST", "PGPORT", "PGSSLMODE"} & {one["name"] for one in container["env"]}
    for file in [*(K8S / "base").glob("*.yaml"), *(K8S / "keda").glob("*.yaml")]:
        assert not re.search(r"@postgres|host[=:] ?postgres", file.read_text("utf-8")), file


@pytest.mark.parametrize("name", ["prefect", "dashboard", "mlflow"])
def test_what_must_outlive_a_pod_lies_on_a_claim(manifests: list[dict[str, Any]], name: str) -> None:
    """Leases of flow runs, which are cancelled without them; who signed out; artifacts."""
    (deployment,) = (one for one in manifests if one["kind"] == "Deployment" and one["metadata"]["name"] == name)
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (volume,) = (mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/data")
    (claim,) = (one["persistentVolumeClaim"]["claimName"] for one in spec["volumes"] if one["name"] == volume)
    assert claim in {one["metadata"]["name"] for one in manifests if one["kind"] == "PersistentVolumeClaim"}
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}  # a claim for one node


def test_nothing_is_restored_on_its_own(manifests: list[dict[str, Any]]) -> None:
    (restore,) = (one for one in manifests if one["kind"] == "CronJob" and one["metadata"]["name"] == "restore")
    assert restore["spec"]["suspend"] is True


def test_an_overlay_as_the_readme_has_it_with_every_component(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    (text,) = re.findall(
        r"\n\n((?:    .*\n)*?    kind: Kustomization\n(?:    .*\n)*)", (DEPLOY / "README.md").read_text("utf-8")
    )
    shutil.copytree(K8S, tmp_path / "k8s")
    overlay = tmp_path / "k8s" / "overlay"
    overlay.mkdir()
    said = textwrap.dedent(text).replace("components: []", "components: [../keda, ../shared]")
    (overlay / "kustomization.yaml").write_text(said, "utf-8")
    made = list(yaml.safe_load_all(ran(kubectl, "kustomize", str(overlay))))
    (told,) = (one["data"] for one in made if one["kind"] == "ConfigMap" and "PGHOST" in one["data"])
    assert told == config() | {
        "PGHOST": "db.example", "HAETAE_DASHBOARD_HOSTS": "haetae.example", "FORWARDED_ALLOW_IPS": "10.1.0.0/16"
    }  # fmt: skip
    (keda,) = (one["spec"] for one in made if one["kind"] == "TriggerAuthentication")
    asked = {one["parameter"]: (one["name"], one["containerName"]) for one in keda["env"]}
    assert asked == {name: (f"PG{name.upper()}", "worker") for name in ("host", "port", "sslmode")}
    assert not [one for one in made if one["kind"] == "HorizontalPodAutoscaler"]
    (worker,) = (template["spec"] for name, template in pods(made) if name == "worker")
    assert {"name": "home", "persistentVolumeClaim": {"claimName": "home"}} in worker["volumes"]
    assert {"name": "home", "mountPath": config()["HAETAE_HOME"]} in worker["containers"][0]["volumeMounts"]
