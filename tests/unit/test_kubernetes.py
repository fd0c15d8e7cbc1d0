"""The manifests for Kubernetes: by the published schemas, with the supervisor's programs, and names that agree."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from helpers import yaml_text
from helpers.basics import GUARD_S, REPOSITORY
from helpers.kustomized import KUBERNETES, Object, built, containers, documents, pod

from worker.runtime.supervisor import chasqui_program, service_programs
from worker.settings import PROVIDER_KEYS, SECRETS, Settings
from worker.shop.shop_file import load_shop

DIRECTORIES = ("base", "migration", "example", "example/migration")
SECRET_FILE = KUBERNETES / "example" / "secrets.yaml"
#: The oldest that knows every field, and the newest.
VERSIONS = ("1.31", "1.37")
OBJECTS = {name: built(KUBERNETES / name) for name in DIRECTORIES}
SHOP = [*OBJECTS["example"], *OBJECTS["example/migration"]]
PROCESSES = [one for one in SHOP if one["kind"] in ("Deployment", "Job")]
TWICE = {"chasqui-intake", "chasqui-worker", "chasqui-worker-ai", "chasqui-beat"}
KUBECTL = shutil.which("kubectl")


def of_kind(kind: str) -> dict[str, Object]:
    """Objects of the example, by name."""
    return {one["metadata"]["name"]: one for one in SHOP if one["kind"] == kind}


def named(one: Object) -> str:
    """Kind and name, for a test's own."""
    return f"{one['kind']}-{one['metadata']['name']}"


DEPLOYMENTS = of_kind("Deployment")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", [*SHOP, *documents(SECRET_FILE)], ids=named)
def test_the_objects_are_valid(one: Object, version: str) -> None:
    """By the schema that Kubernetes publishes; nothing stands in them that it does not know."""
    kubernetes_validate.validate(one, version, strict=True)


def test_a_mistake_is_found() -> None:
    """A misspelt field."""
    worker = DEPLOYMENTS["chasqui-worker"]
    with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
        kubernetes_validate.validate(worker | {"spec": worker["spec"] | {"replica": 2}}, VERSIONS[1], strict=True)


@pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")
@pytest.mark.parametrize("directory", DIRECTORIES)
def test_kustomize_makes_the_same(directory: str) -> None:
    """What these tests look at is what would be applied, but for the hash in the name of a ConfigMap."""
    done = subprocess.run(
        [str(KUBECTL), "kustomize", str(KUBERNETES / directory)],
        capture_output=True,
        text=True,
        check=True,
        timeout=GUARD_S,
    )
    plain = re.sub(r"\b(chasqui-(?:settings|files))-[a-z0-9]{10}\b", r"\1", done.stdout)
    assert sorted(yaml_text.load_all(plain), key=named) == sorted(OBJECTS[directory], key=named)


def test_every_file_belongs_to_a_directory() -> None:
    """A manifest that no kustomization names would never be applied; the others are read by people."""
    by_hand = {SECRET_FILE, KUBERNETES / "autoscaling" / "prometheus-adapter.yaml"}
    for path in set(KUBERNETES.rglob("*.*")) - by_hand:
        if path.name != "kustomization.yaml":
            assert path.name in (path.parent / "kustomization.yaml").read_text("utf-8"), path


def test_the_processes_are_those_of_the_supervisor() -> None:
    """Same programs, same arguments; only the executable is found by its name."""
    commands = {name: containers(one)[0]["command"] for name, one in DEPLOYMENTS.items()}
    programs = [*service_programs(Path("/tmp"), 1), chasqui_program("metrics"), chasqui_program("dashboard")]
    for program in programs:
        _, _, module, *arguments = program.argv
        name = "chasqui" if module == "worker" else module
        assert commands.pop(f"chasqui-{program.name}") == [name, *arguments]
    assert commands == {"chasqui-flower": ["python", "-m", "worker.flower", "--address=0.0.0.0", "--port=5555"]}
    (job,) = of_kind("Job").values()
    assert containers(job)[0]["command"] == ["chasqui", "db", "upgrade"]


@pytest.mark.parametrize("one", PROCESSES, ids=named)
def test_a_process_has_few_rights(one: Object) -> None:
    """As Kubernetes' own profile `restricted` wants it, and a root file system that cannot be written."""
    spec, (container,) = pod(one), containers(one)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert spec["automountServiceAccountToken"] is False
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("one", PROCESSES, ids=named)
def test_no_service_sets_a_variable_of_ours(one: Object) -> None:
    """Kubernetes would set FLOWER_PORT to an address for a Service `flower`."""
    assert pod(one)["enableServiceLinks"] is False


@pytest.mark.parametrize("one", PROCESSES, ids=named)
def test_what_a_process_names_exists(one: Object) -> None:
    """ConfigMaps, Secrets, the account and volumes; the image is the shop's."""
    maps, secrets = of_kind("ConfigMap"), {secret["metadata"]["name"] for secret in documents(SECRET_FILE)}
    spec, (container,) = pod(one), containers(one)
    for source in container["envFrom"]:
        if "configMapRef" in source:
            assert source["configMapRef"]["name"] in maps
        elif not source["secretRef"].get("optional"):
            assert source["secretRef"]["name"] in secrets
    assert spec.get("serviceAccountName", "default") in {"default", *of_kind("ServiceAccount")}
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    assert all(volume["configMap"]["name"] in maps for volume in volumes.values() if "configMap" in volume)
    assert container["image"] == "registry.example/chasqui:0.1.0"


def test_settings_are_settings_and_secrets_are_empty() -> None:
    """Every variable is one of ours; secrets stand in Secrets alone, and only worker-ai gets the providers' keys."""
    known = {name.upper() for name in Settings.model_fields}
    given = set(of_kind("ConfigMap")["chasqui-settings"]["data"])
    assert given <= known - {name.upper() for name in SECRETS}
    secrets = {one["metadata"]["name"]: one["stringData"] for one in documents(SECRET_FILE)}
    assert set.union(*(set(data) for data in secrets.values())) <= {name.upper() for name in SECRETS}
    assert {value for data in secrets.values() for value in data.values()} == {""}
    assert set(secrets["chasqui-providers"]) == {name.upper() for name in PROVIDER_KEYS}
    users = {
        name
        for name, one in DEPLOYMENTS.items()
        if {"secretRef": {"name": "chasqui-providers"}} in containers(one)[0]["envFrom"]
    }
    assert users == {"chasqui-worker-ai"}
    for one in DEPLOYMENTS.values():
        assert {variable["name"] for variable in containers(one)[0].get("env", ())} <= known


def test_the_files_are_where_the_settings_say(tmp_path: Path) -> None:
    """The shop's file is mounted under the name that SHOP_FILE has, and holds no mistake."""
    maps = of_kind("ConfigMap")
    path = Path(maps["chasqui-settings"]["data"]["SHOP_FILE"])
    mounts = containers(DEPLOYMENTS["chasqui-worker"])[0]["volumeMounts"]
    assert {"name": "files", "mountPath": str(path.parent), "readOnly": True} in mounts
    file = tmp_path / "shop.toml"
    file.write_text(maps["chasqui-files"]["data"][path.name], "utf-8")
    assert load_shop(Settings(shop_file=file)).name


def test_what_must_go_on_is_there_twice() -> None:
    """Two of each on different nodes, a new one before an old one ends, and a budget for whoever drains nodes; those
    that scale have their number from the autoscaler.
    """
    scaled = {one["spec"]["scaleTargetRef"]["name"]: one for one in of_kind("HorizontalPodAutoscaler").values()}
    assert of_kind("PodDisruptionBudget").keys() == TWICE
    for name in TWICE:
        one, spec = DEPLOYMENTS[name], DEPLOYMENTS[name]["spec"]
        assert (scaled[name]["spec"]["minReplicas"] if name in scaled else spec["replicas"]) == 2
        assert ("replicas" in spec) == (name not in scaled)
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        assert {rule["topologyKey"] for rule in pod(one)["topologySpreadConstraints"]} == {
            "kubernetes.io/hostname",
            "topology.kubernetes.io/zone",
        }


def test_selectors_meet_one_deployment_each() -> None:
    """Of Deployments, budgets and Services: the pods of one process, that of the object's own name."""
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in DEPLOYMENTS.items()}
    selectors = [(name, one["spec"]["selector"]["matchLabels"]) for name, one in DEPLOYMENTS.items()]
    selectors += [
        (name, one["spec"]["selector"]["matchLabels"]) for name, one in of_kind("PodDisruptionBudget").items()
    ]
    selectors += [(name, one["spec"]["selector"]) for name, one in of_kind("Service").items()]
    for name, selector in selectors:
        assert [who for who, has in labels.items() if selector.items() <= has.items()] == [name]
    for one in of_kind("Service").values():
        (port,) = containers(DEPLOYMENTS[one["metadata"]["name"]])[0]["ports"]
        assert one["spec"]["ports"][0]["targetPort"] == port["name"]
        assert one["spec"]["ports"][0]["port"] == port["containerPort"]


def test_a_process_has_the_time_it_needs_to_end() -> None:
    """worker-ai longer than a call may last, the others longer than they take for what they have begun."""
    grace = {name: pod(one).get("terminationGracePeriodSeconds", 30) for name, one in DEPLOYMENTS.items()}
    assert grace.pop("chasqui-worker-ai") >= Settings().ai_deadline_s + 10
    assert min(grace.values()) >= 15


def test_no_process_is_ended_because_a_server_is_away() -> None:
    """Who waits for servers by itself has no liveness probe that asks one: only pages, and beat's own file."""
    alive = {name: containers(one)[0].get("livenessProbe") for name, one in DEPLOYMENTS.items()}
    paths = {name: probe["httpGet"]["path"] for name, probe in alive.items() if probe and "httpGet" in probe}
    assert paths == {"chasqui-metrics": "/healthz", "chasqui-dashboard": "/login", "chasqui-flower": "/healthcheck"}
    assert {name for name, probe in alive.items() if probe} - paths.keys() == {"chasqui-beat"}


@pytest.mark.parametrize(("age_s", "code"), [(None, 0), (5, 0), (200, 1)])
def test_the_probe_of_beat_sees_a_beat_that_hangs(tmp_path: Path, age_s: int | None, code: int) -> None:
    """By the file that its supervisor looks at: none yet, a fresh one, an old one."""
    (beat,) = (program for program in service_programs(tmp_path, 1) if program.name == "beat")
    assert beat.alive
    if age_s is not None:
        beat.alive.touch()
        subprocess.run(["touch", "-d", f"{age_s} seconds ago", str(beat.alive)], check=True)
    probe = containers(DEPLOYMENTS["chasqui-beat"])[0]["livenessProbe"]["exec"]["command"]
    assert done(probe, str(tmp_path)) == code


def done(command: list[str], directory: str) -> int:
    """Runs a probe with another directory in the place of /tmp; returns its exit code."""
    told = [word.replace("/tmp", directory) for word in command]
    return subprocess.run(told, check=False, timeout=GUARD_S).returncode


def test_autoscalers_follow_metrics_that_exist() -> None:
    """Each series is one of the exporter's, and the adapter serves it."""
    rules = yaml_text.load((KUBERNETES / "autoscaling" / "prometheus-adapter.yaml").read_text("utf-8"))["rules"]
    served = {rule["seriesQuery"] for rule in rules["external"]}
    wanted: dict[str, Any] = {}
    for one in of_kind("HorizontalPodAutoscaler").values():
        (metric,) = one["spec"]["metrics"]
        wanted[metric["external"]["metric"]["name"]] = metric["external"]["metric"]["selector"]["matchLabels"]
    assert wanted == {"chasqui_stream_entries": {"stream": "inbound"}, "chasqui_queue_tasks": {"queue": "ai"}}
    assert served == wanted.keys()
    told = (REPOSITORY / "docs" / "monitoring.md").read_text("utf-8")
    assert all(f"| `{name}` |" in told for name in wanted)
