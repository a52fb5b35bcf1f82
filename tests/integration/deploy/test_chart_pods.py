"""What pods of the chart may do, how they are watched, stopped and replaced."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from directcd.serving import DRAIN_SECONDS
from tests.support.charts import EXAMPLES, SECRETS, Manifest, Rendered, example, render, rendered

UID = 10001
PARTS = {"hub": 8080, "server": 8081}
# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}


def pods(name: str) -> Iterator[tuple[Manifest, Manifest]]:
    """Each pod's spec, with each of its containers."""
    for _, pod in rendered(name).pods:
        for container in pod["spec"]["containers"]:
            yield pod["spec"], container


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_pod_is_restricted(name: str) -> None:
    """As the strictest Pod Security Standard says, and with a root that cannot be written."""
    for pod, container in pods(name):
        context = pod["securityContext"]
        assert context["runAsNonRoot"] is True
        assert {context["runAsUser"], context["runAsGroup"], context["fsGroup"]} == {UID}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
        assert all((one.keys() - {"name"}) <= VOLUMES for one in pod.get("volumes", []))
        assert all("hostPort" not in port for port in container.get("ports", []))


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_pod_is_told_of_the_cluster(name: str) -> None:
    """Neither by a token, nor by variables that would be taken for settings."""
    for pod, container in pods(name):
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        names = [one["name"] for one in container.get("env", [])]
        assert {one for one in names if one.startswith("DIRECTCD_")} <= {"DIRECTCD_LOG_FORMAT"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_container_has_memory_it_is_promised_and_a_limit(name: str) -> None:
    """And no limit of the processor, which would slow it down beside idle ones."""
    for _, container in pods(name):
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_whatever_is_mounted_is_there(name: str) -> None:
    """And nothing else is."""
    for pod, container in pods(name):
        volumes = {one["name"] for one in pod.get("volumes", [])}
        claimed = {"data"} if container["name"] == "server" else set()
        assert {one["name"] for one in container.get("volumeMounts", [])} == volumes | claimed


@pytest.mark.parametrize("name", EXAMPLES)
def test_selectors_find_their_own_pods_and_no_others(name: str) -> None:
    """Of workloads, Services and budgets; a network policy's may be wider."""
    found = rendered(name)
    labels = {component: pod["metadata"]["labels"] for component, pod in found.pods}
    for one in found.manifests:
        if one["kind"] in {"Deployment", "StatefulSet", "Service", "PodDisruptionBudget"}:
            selector = one["spec"]["selector"]
            wanted = selector.get("matchLabels", selector).items()
            chosen = [who for who, has in labels.items() if wanted <= has.items()]
            assert chosen == [one["metadata"]["labels"]["app.kubernetes.io/component"]]


@pytest.mark.parametrize("component", PARTS)
def test_a_part_is_asked_whether_it_has_started_lives_and_is_ready(component: str) -> None:
    """At its own port; a start may take two minutes."""
    [container] = pod_of(rendered("guarded"), component)["containers"]
    assert container["ports"] == [{"name": "http", "containerPort": PARTS[component]}]
    paths = {
        name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")
    }
    assert {name: (get["path"], get["port"]) for name, get in paths.items()} == {
        "startup": ("/livez", "http"),
        "liveness": ("/livez", "http"),
        "readiness": ("/readyz", "http"),
    }
    start = container["startupProbe"]
    assert start["periodSeconds"] * start["failureThreshold"] == 120


def pod_of(found: Rendered, component: str) -> Manifest:
    """The spec of a component's pod."""
    spec: Manifest = dict(found.pods)[component]["spec"]
    return spec


def test_a_program_is_asked_as_its_values_say() -> None:
    """A client has no port of its own."""
    [container] = pod_of(rendered("client"), "client")["containers"]
    assert container["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "program"}
    assert container["ports"] == [{"name": "program", "containerPort": 9000}]
    assert "livenessProbe" not in container


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_stop_is_given_more_time_than_it_takes(name: str) -> None:
    """What passes until nobody is led there any more, and what is left to answer."""
    for pod, container in pods(name):
        if "terminationGracePeriodSeconds" in pod:
            waits = container.get("lifecycle", {"preStop": {"sleep": {"seconds": 0}}})
            takes = waits["preStop"]["sleep"]["seconds"] + DRAIN_SECONDS
            assert pod["terminationGracePeriodSeconds"] > takes + 5


def test_an_embedded_log_is_one_processs_alone() -> None:
    """The next hub starts when this one has let go of its volume, which outlives the release."""
    found = rendered("embedded")
    [hub] = found.of("Deployment")
    assert (hub["spec"]["replicas"], hub["spec"]["strategy"]) == (1, {"type": "Recreate"})
    [claim] = found.of("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    data = volume(hub["spec"]["template"]["spec"], "data")
    assert data["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    [container] = pod_of(found, "hub")["containers"]
    assert "lifecycle" not in container  # it would be a longer pause, for there is no other hub


def volume(pod: Manifest, name: str) -> Manifest:
    """A pod's volume."""
    [found] = [one for one in pod["volumes"] if one["name"] == name]
    return dict(found)


def test_hubs_on_redis_are_replaced_without_one_less() -> None:
    """As many as the load wants; what waits while Redis is away is on their own disk."""
    found = rendered("redis")
    [hub] = found.of("Deployment")
    assert hub["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in hub["spec"]
    assert found.of("PersistentVolumeClaim") == []
    pod = hub["spec"]["template"]["spec"]
    assert volume(pod, "data")["emptyDir"] == {"sizeLimit": "2Gi"}
    assert pod["containers"][0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    [scaler] = found.of("HorizontalPodAutoscaler")
    assert scaler["spec"]["scaleTargetRef"]["name"] == hub["metadata"]["name"]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (3, 9)
    [budget] = found.of("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1


def test_each_server_has_a_volume_of_its_own() -> None:
    """And a name of its own, by which it can be asked."""
    found = rendered("guarded")
    [server] = found.of("StatefulSet")
    [claim] = server["spec"]["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "20Gi"}},
    }
    service = found.one("Service", "server")
    assert service["spec"]["clusterIP"] == "None"
    assert server["spec"]["serviceName"] == service["metadata"]["name"]


@pytest.mark.parametrize("component", ["hub", "server", "client"])
def test_a_changed_setting_replaces_the_pods_it_is_for(component: str) -> None:
    """And no others."""
    values = example("client")
    values[component]["config"] = {**values[component].get("config", {}), **CHANGES[component]}
    before, after = checksums(rendered("client")), checksums(render(values))
    assert {name for name, one in before.items() if after[name] != one} == {component}


CHANGES: dict[str, dict[str, Any]] = {
    "hub": {"keep_events": 5000},
    "server": {"keep_versions": 9},
    "client": {"settle_seconds": 4},
}


def checksums(found: Rendered) -> dict[str, str]:
    """Of the pods' settings, by component."""
    return {
        component: pod["metadata"]["annotations"]["checksum/config"]
        for component, pod in found.pods
        if component != "test"
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_secret_is_named_and_mounted_as_files(name: str) -> None:
    """No Secret is made, none is a variable, and each file that is named is below a mount."""
    found = rendered(name)
    assert found.of("Secret") == []
    for component, pod in found.pods:
        [container, *_] = pod["spec"]["containers"]
        assert all(one.keys() == {"name", "value"} for one in container.get("env", []))
        if component != "test":
            mounts = {one["mountPath"] for one in container["volumeMounts"]}
            files = re.findall(rf"{SECRETS}/[^/]+(?=/)", found.toml(component))
            assert set(files) <= mounts
            secrets = [one for one in container["volumeMounts"] if SECRETS in one["mountPath"]]
            assert all("subPath" not in one for one in secrets)  # it would never change there


def test_an_image_may_be_pinned_by_its_digest() -> None:
    """That of one image is not another's."""
    found = rendered("guarded")
    [hub], [server] = (pod_of(found, name)["containers"] for name in PARTS)
    assert re.fullmatch(r"registry\.example\.com/directcd@sha256:[0-9a-f]{64}", hub["image"])
    assert server["image"] == "registry.example.com/directcd:0.1.0-go"


def test_helm_test_asks_the_hub_and_every_server() -> None:
    """Each by a pod of one container that stays, so that `helm test --logs` finds it."""
    tests = rendered("guarded").of("Pod")
    assert [one["spec"]["containers"][0]["args"] for one in tests] == [
        ["health", "http://test-directcd-hub:8080"],
        ["health", "http://test-directcd-server-0.test-directcd-server:8081"],
        ["health", "http://test-directcd-server-1.test-directcd-server:8081"],
    ]
    for one in tests:
        assert len(one["spec"]["containers"]) == 1
        assert one["metadata"]["annotations"] == {
            "helm.sh/hook": "test",
            "helm.sh/hook-delete-policy": "before-hook-creation",
        }
