"""Where a server's word about a version leads."""

import pytest

from cd4sources.delivery.records import Artifact, Delivered, Record
from cd4sources.http_errors import BadAnswer

SERVER = "https://build.example.com/cd"


def offered(url: str) -> Delivered:
    artifact = Artifact(name="app", size=1, sha256="0" * 64, url=url)
    return Delivered.said_by(SERVER, Record(version="v-000000000001", artifact=artifact))


@pytest.mark.parametrize(
    "url", ["/download?version=x", "download?version=x", f"{SERVER}/download?version=x"]
)
def test_an_artifact_is_below_the_servers_own_address(url: str) -> None:
    """Also when a proxy has the server under a path that it does not know."""
    assert offered(url).artifact.url == f"{SERVER}/download?version=x"


def test_dots_in_a_repositorys_address_lead_nowhere() -> None:
    """Only those in the path do."""
    url = "/download?repo=%2Fsrv%2Fx%2F..%2Fapp&version=x"
    assert offered(url).artifact.url == f"{SERVER}{url}"


@pytest.mark.parametrize(
    "url",
    ["https://other/x", "http://build.example.com/cd/x", "///other/x", "../x", f"{SERVER}.org/x"],
)
def test_an_artifact_elsewhere_is_not_followed(url: str) -> None:
    """Neither on another host nor at another path, where somebody else may get our token."""
    with pytest.raises(BadAnswer, match="only the server itself is asked"):
        offered(url)
