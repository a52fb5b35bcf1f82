"""deploy/helm/directcd as Helm's own engine renders it, without a cluster."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import helm_python
import yaml

from tests.support.chart_values import CHART

RELEASE, NAMESPACE = "test", "ns"
SECRETS = "/run/secrets/directcd"
Values = Mapping[str, Any]
Manifest = dict[str, Any]
EXAMPLES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").iterdir())


@dataclass(frozen=True)
class Rendered:
    """What would be installed, and what would be said then."""

    manifests: tuple[Manifest, ...]
    notes: str

    def of(self, kind: str) -> list[Manifest]:
        """All of one kind."""
        return [one for one in self.manifests if one["kind"] == kind]

    def one(self, kind: str, component: str) -> Manifest:
        """The only one of a kind that a component has."""
        end = f"-{component}"
        [found] = [one for one in self.of(kind) if one["metadata"]["name"].endswith(end)]
        return found

    @property
    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Every pod, also those that others make, by the component it is of."""
        for one in self.manifests:
            if "template" in one.get("spec", {}):
                template = one["spec"]["template"]
                yield template["metadata"]["labels"]["app.kubernetes.io/component"], template
            elif one["kind"] == "Pod":
                yield "test", one

    def toml(self, component: str) -> str:
        """A component's directcd.toml."""
        text: str = self.one("ConfigMap", component)["data"]["directcd.toml"]
        return text


def example(name: str) -> Manifest:
    """Values of ci/NAME-values.yaml."""
    path = CHART / "ci" / f"{name}-values.yaml"
    values: Manifest = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


@cache
def rendered(name: str) -> Rendered:
    """The chart with the values of an example."""
    return render(example(name))


def render(values: Values, release: str = RELEASE) -> Rendered:
    """
    The chart with some values, as `helm install` would send it to a cluster.

    Raises:
        helm_python.HelmError: the values are none of the schema's, or could not work.
    """
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        files = chart.render(dict(values), name=release, namespace=NAMESPACE)
    notes = next(text for file, text in files.items() if file.endswith("NOTES.txt"))
    texts = [text for file, text in sorted(files.items()) if file.endswith(".yaml")]
    manifests = [one for text in texts for one in yaml.safe_load_all(text) if one]
    return Rendered(tuple(manifests), notes)


def refusal(values: Values) -> str:
    """Why the chart is not rendered with some values."""
    try:
        render(values)
    except helm_python.HelmError as error:
        return str(error)
    return ""
