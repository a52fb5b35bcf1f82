"""The chart as a whole: it fits the product, and what it renders is what Kubernetes knows."""

import json
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import pytest
import yaml

import directcd
from tests.support.chart_values import CHART, wanted
from tests.support.charts import EXAMPLES, NAMESPACE, RELEASE, Manifest, example, render, rendered

# The oldest that Chart.yaml lets in, and the newest whose schemas are at hand.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
# Kinds of other projects, of which Kubernetes has no schema; they are looked at one by one below.
OTHERS = {"HTTPRoute", "PrometheusRule", "ServiceMonitor"}
NAME_CHARACTERS = 63


def test_chart_and_image_are_of_the_products_version() -> None:
    """`appVersion` is the image's tag."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert (chart["version"], chart["appVersion"]) == (directcd.__version__, directcd.__version__)


def test_the_longest_release_has_pods_that_can_be_made() -> None:
    """Kubernetes labels a StatefulSet's with its name and eleven letters more."""
    longest = "r" * 53
    found = render(example("client"), longest)
    [server] = found.of("StatefulSet")
    assert len(server["metadata"]["name"]) + 11 <= NAME_CHARACTERS
    assert all(len(one["metadata"]["name"]) <= NAME_CHARACTERS for one in found.manifests)


def test_schema_and_readme_say_what_settings_and_values_say() -> None:
    """`scripts/fix` writes both."""
    stale = [file.name for file, text in wanted().items() if file.read_text("utf-8") != text]
    assert stale == []


def test_every_value_has_a_description_and_no_other_is_known() -> None:
    """So editors explain each, and a misspelt one is refused wherever it stands."""
    values = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(values)
    loose = [place for place, one in _tables("", values) if _is_loose(one)]
    assert loose == []


def _tables(way: str, found: Any) -> list[tuple[str, Any]]:
    """Every schema of a table with names of its own, by its place."""
    if isinstance(found, list):
        return [one for item in found for one in _tables(way, item)]
    if not isinstance(found, dict):
        return []
    inner = [one for key, item in found.items() for one in _tables(f"{way}.{key}", item)]
    is_table = isinstance(found.get("properties"), dict) and found.get("type") == "object"
    return [(way, found), *inner] if is_table else inner


def _is_loose(table: Any) -> bool:
    has_all = all({"description", "$ref"} & one.keys() for one in table["properties"].values())
    return table["additionalProperties"] is not False or not has_all


def test_helm_finds_nothing_to_say_but_that_there_is_no_icon() -> None:
    """`helm lint`, which renders with the defaults."""
    found = helm_python.lint(CHART)
    assert found["errors"] == []
    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_kubernetes_knows_every_field(name: str, version: str) -> None:
    """Strictly: what it does not know it would drop in silence."""
    manifests = rendered(name).manifests
    for one in manifests:
        if one["kind"] not in OTHERS:
            kubernetes_validate.validate(one, version, strict=True)
    assert {one["kind"] for one in manifests} - OTHERS


@pytest.mark.parametrize("name", EXAMPLES)
def test_objects_are_told_apart_and_named_for_the_release(name: str) -> None:
    """In its namespace, with the labels by which everybody finds what belongs to it."""
    manifests = rendered(name).manifests
    places = [(one["kind"], one["metadata"]["name"]) for one in manifests]
    assert len(set(places)) == len(places)
    for one in manifests:
        assert one["metadata"]["name"].startswith(f"{RELEASE}-directcd")
        assert len(one["metadata"]["name"]) < NAME_CHARACTERS
        assert one["metadata"]["namespace"] == NAMESPACE
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == RELEASE


def test_a_route_leads_from_the_gateway_to_the_hub() -> None:
    """HTTPRoute: https://gateway-api.sigs.k8s.io/reference/spec/#httproute."""
    found = rendered("gateway")
    [route] = found.of("HTTPRoute")
    assert route["apiVersion"] == "gateway.networking.k8s.io/v1"
    assert route["spec"] == {
        "parentRefs": [{"name": "public", "namespace": "gateways", "sectionName": "https"}],
        "hostnames": ["hub.example.com"],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                "backendRefs": [_port_of(found.one("Service", "hub"))],
            }
        ],
    }


def _port_of(service: Manifest) -> Manifest:
    return {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}


@pytest.mark.parametrize("component", ["hub", "server"])
def test_prometheus_scrapes_a_port_that_a_service_has(component: str) -> None:
    """ServiceMonitor, as https://prometheus-operator.dev/docs/api-reference/api/ has it."""
    found = rendered("guarded")
    monitor, service = found.one("ServiceMonitor", component), found.one("Service", component)
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"].keys() == {"selector", "endpoints"}
    wanted_labels = monitor["spec"]["selector"]["matchLabels"]
    assert wanted_labels.items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [
        {"port": service["spec"]["ports"][0]["name"], "path": "/metrics", "interval": "30s"}
    ]


def test_alerts_and_dashboard_are_the_charts_own_files() -> None:
    """PrometheusRule, as https://prometheus-operator.dev/docs/api-reference/api/ has it."""
    found = rendered("guarded")
    alerts = yaml.safe_load((CHART / "grafana/alerts.yaml").read_text(encoding="utf-8"))
    board = (CHART / "grafana/dashboard.json").read_text(encoding="utf-8")
    rule = found.one("PrometheusRule", "alerts")
    assert (rule["apiVersion"], rule["spec"]) == ("monitoring.coreos.com/v1", alerts)
    dashboard = found.one("ConfigMap", "dashboard")
    assert dashboard["data"] == {"directcd.json": board}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_an_ingress_shows_forges_what_they_need() -> None:
    """No other path than theirs, with TLS."""
    found = rendered("ingress")
    [ingress] = found.of("Ingress")
    [rule] = ingress["spec"]["rules"]
    [path] = rule["http"]["paths"]
    service = path["backend"]["service"]
    assert (rule["host"], path["path"], path["pathType"]) == (
        "hub.example.com", "/webhooks", "Prefix",
    )  # fmt: skip
    assert service["name"] == found.one("Service", "hub")["metadata"]["name"]
    assert ingress["spec"]["tls"] == [{"hosts": ["hub.example.com"], "secretName": "hub-tls"}]
