"""Who reaches whom, by the policies of the chart: nobody, but for what is needed."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.charts import EXAMPLES, Manifest, Rendered, example, render, rendered

INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
DNS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


@dataclass(frozen=True)
class Network:
    """What the policies of a release let through."""

    found: Rendered

    def rules(self, component: str, direction: str) -> list[Manifest]:
        """All that hold for a component's pods."""
        return [
            rule
            for policy in self.found.of("NetworkPolicy")
            if _is_chosen(policy["spec"]["podSelector"], component)
            for rule in policy["spec"].get(direction.lower(), [])
        ]

    def leads(self, source: str, target: str) -> bool:
        """Whether one component reaches another: let out here, and let in there."""
        out = self._has(self.rules(source, "Egress"), "to", target)
        return out and self._has(self.rules(target, "Ingress"), "from", source)

    @staticmethod
    def _has(rules: list[Manifest], side: str, component: str) -> bool:
        peers = [peer for rule in rules for peer in rule.get(side, [])]
        selectors = [peer["podSelector"] for peer in peers if "podSelector" in peer]
        return any(_is_chosen(one, component) for one in selectors if one)


def _is_chosen(selector: dict[str, Any], component: str) -> bool:
    labels = selector.get("matchLabels", {})
    names = [name for one in selector.get("matchExpressions", []) for name in one["values"]]
    assert labels[INSTANCE] == "test"
    return component in (names or [labels.get(COMPONENT, component)])


@pytest.mark.parametrize("name", EXAMPLES)
def test_everything_is_denied_to_every_pod_first(name: str) -> None:
    """Both ways, whatever else is said."""
    deny = rendered(name).one("NetworkPolicy", "deny")["spec"]
    assert deny.keys() == {"podSelector", "policyTypes"}
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    for _, pod in rendered(name).pods:
        assert deny["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_parts_reach_whom_they_ask_and_no_others() -> None:
    """Nobody asks a client, and nobody is asked by all."""
    network = Network(rendered("client"))
    parts = ("hub", "server", "client", "test")
    pairs = {(one, other) for one in parts for other in parts if network.leads(one, other)}
    assert pairs == {
        ("hub", "server"),  # for the dashboard
        ("server", "hub"),
        ("client", "hub"),
        ("client", "server"),
        ("test", "hub"),
        ("test", "server"),
    }


@pytest.mark.parametrize("component", ["hub", "server", "test"])
def test_names_are_looked_up_at_the_clusters_own_servers(component: str) -> None:
    """And nowhere else."""
    rules = Network(rendered("guarded")).rules(component, "Egress")
    [dns] = [rule for rule in rules if rule["ports"] == DNS]
    [peer] = dns["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "kube-system"
    }


def test_a_hub_that_asks_no_forge_reaches_none() -> None:
    """One that does reaches those that were named, at https and ssh."""
    assert _to(Network(rendered("ingress")), "hub", 443) == []
    assert _to(Network(rendered("guarded")), "hub", 443) == [{"ipBlock": {"cidr": "192.0.2.0/24"}}]
    assert _to(Network(rendered("guarded")), "server", 22) == [
        {"ipBlock": {"cidr": "192.0.2.0/24"}}
    ]


def _to(network: Network, component: str, port: int) -> list[Manifest]:
    rules = network.rules(component, "Egress")
    return [
        peer
        for rule in rules
        if port in [one["port"] for one in rule["ports"]]
        for peer in rule["to"]
    ]


def test_redis_is_reached_where_it_is() -> None:
    """By hubs, and by servers that follow it past the hubs."""
    redis = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "redis"}}}
    values = example("redis")
    values["targets"] = example("client")["targets"]
    values["server"] = {"enabled": True, "config": {"hub": "redis://redis:6379/0"}}
    network = Network(render(values))
    for component in ("hub", "server"):
        rules = network.found.one("NetworkPolicy", component)["spec"]["egress"]
        [rule] = [one for one in rules if one["ports"][0]["port"] == 6379]
        assert rule["to"] == [redis]


def test_the_proxy_and_prometheus_are_let_in_where_they_are() -> None:
    """By their namespaces."""
    [rule] = rendered("guarded").one("NetworkPolicy", "hub")["spec"]["ingress"]
    namespaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in rule["from"]
        if "namespaceSelector" in peer
    ]
    assert namespaces == ["ingress-nginx", "monitoring"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8080}]


def test_policies_can_be_left_to_somebody_else() -> None:
    """Then there are none."""
    values = {**example("embedded"), "networkPolicy": {"enabled": False}}
    assert render(values).of("NetworkPolicy") == []
