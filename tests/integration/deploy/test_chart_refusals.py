"""Mistakes in values: each is refused before anything is installed, and most with the next step."""

import pytest

from tests.support.charts import Values, example, refusal, render, rendered

REDIS = {"hub": {"redis": {"url": "redis://redis:6379/0"}}}
TARGETS = [{"name": "shop", "repositories": [{"url": "https://git.example.com/acme/shop.git"}]}]
MOUNTED = "/run/secrets/directcd/hooks/a"
ELSEWHERE = {"servers": ["http://server.a:8081"]}
PORTS = [{"name": "program", "containerPort": 9000}]
PUBLIC = {"enabled": True, "host": "hub.example.com"}


def at(url: str) -> Values:
    """A target with one repository."""
    return {"name": "other", "repositories": [{"url": url}]}


OTHER = at("ssh://git@git.example.com/acme/other.git")

SCHEMA: dict[str, tuple[Values, str]] = {
    "a misspelt value": ({"hub": {"replica": 2}}, "replica"),
    "a misspelt table": ({"netwrokPolicy": {}}, "netwrokPolicy"),
    "a text for a number": ({"hub": {"replicas": "two"}}, "/hub/replicas"),
    "a number for a switch": ({"server": {"enabled": 1}}, "/server/enabled"),
    "a word that there is not": ({"logFormat": "xml"}, "/logFormat"),
    "a misspelt setting": ({"hub": {"config": {"keep_event": 1}}}, "keep_event"),
    "a setting of the wrong kind": (
        {"server": {"config": {"keep_versions": "all"}}},
        "keep_versions",
    ),
    "a setting that the chart decides": ({"hub": {"config": {"data": "/data"}}}, "data"),
    "another port than the probes'": ({"hub": {"config": {"listen": ":80"}}}, "/hub/config/listen"),
    "a target without repositories": ({"targets": [{"name": "shop"}]}, "repositories"),
    "a webhook secret": (
        {"hub": {"config": {"sources": {"a": {"provider": "github", "secrets": ["s3cr3t"]}}}}},
        "secrets",
    ),
    "a forge's token": (
        {"hub": {"config": {"sources": {"a": {"provider": "github", "api_token": "s3cr3t"}}}}},
        "api_token",
    ),
    "a token for a server": (
        {"hub": {"config": {"servers": {"a": {"url": "http://a:8081", "token": "s3cr3t"}}}}},
        "token",
    ),
    "a password in a repository's URL": (
        {
            "targets": [
                {"name": "a", "repositories": [{"url": "https://me:s3cr3t@git.example.com/a"}]}
            ]
        },
        "/targets/0/repositories/0/url",
    ),
    "a token in a repository's URL": (
        {"targets": [{"name": "a", "repositories": [{"url": "https://s3cr3t@git.example.com/a"}]}]},
        "/targets/0/repositories/0/url",
    ),
    "a password in Redis's URL": (
        {"hub": {"redis": {"url": "redis://hub:s3cr3t@redis/0"}}},
        "/hub/redis/url",
    ),
    "a Sentinel's password in Redis's URL": (
        {"hub": {"redis": {"url": "redis+sentinel://a/hub?sentinel_password=s3cr3t"}}},
        "/hub/redis/url",
    ),
    "a password in the URL of a server's Redis": (
        {"server": {"config": {"hub": "redis://:s3cr3t@redis/0"}}},
        "/server/config/hub",
    ),
    "a password in the hub's own URL": (
        {"hub": {"config": {"public_url": "https://me:s3cr3t@hub.example.com"}}},
        "/hub/config/public_url",
    ),
    "a password in a forge's URL": (
        {"hub": {"config": {"sources": {"a": {"provider": "x", "base_url": "http://a:s3cr3t@b"}}}}},
        "base_url",
    ),
    "a password in the URL of a server": (
        {"client": {"config": {"servers": ["http://a:s3cr3t@b:8081"]}}},
        "/client/config/servers/0",
    ),
    "a password in the URL of a program": (
        {"client": {"config": {"health_url": "http://a:s3cr3t@127.0.0.1:9000"}}},
        "/client/config/health_url",
    ),
    "a token behind a repository's URL": (
        {"targets": [{"name": "a", "repositories": [{"url": "https://a/b?private_token=s3cr3t"}]}]},
        "/targets/0/repositories/0/url",
    ),
    "a name with a space": ({"nameOverride": "a b"}, "/nameOverride"),
    "a name with capitals": ({"fullnameOverride": "Bad_Name"}, "/fullnameOverride"),
    "an account that is no name": ({"serviceAccount": {"name": "a: b"}}, "/serviceAccount/name"),
    "a claim that is no name": (
        {"hub": {"persistence": {"existingClaim": "a}: b"}}},
        "/hub/persistence/existingClaim",
    ),
    "a key that is a way elsewhere": (
        {"hub": {"redis": {"url": "redis://a", "existingSecret": "a", "passwordKey": "../b&c"}}},
        "/hub/redis/passwordKey",
    ),
    "a setting as a variable": (
        {"hub": {"pod": {"env": [{"name": "DIRECTCD_HUB__REDIS", "value": "redis://a"}]}}},
        "/hub/pod/env/0/name",
    ),
    "a port that needs rights": (
        {"client": {"ports": [{"name": "http", "containerPort": 80}]}},
        "containerPort",
    ),
}


@pytest.mark.parametrize(("values", "names"), SCHEMA.values(), ids=SCHEMA)
def test_the_schema_refuses(values: Values, names: str) -> None:
    """And says where it stands, and no secret."""
    said = refusal(values)
    assert names in said
    assert "s3cr3t" not in said


TEMPLATES: dict[str, tuple[Values, str]] = {
    "two hubs on one embedded log": (
        {"hub": {"replicas": 2}},
        "give hub.redis.url, which several hubs can share, or leave hub.replicas at 1.",
    ),
    "a growing number of them": (
        {"hub": {"autoscaling": {"enabled": True}}},
        "give hub.redis.url, or set hub.autoscaling.enabled to false.",
    ),
    "a password without its Secret": (
        {"hub": {"redis": {"url": "redis://redis", "passwordKey": "password"}}},
        "name it in hub.redis.existingSecret.",
    ),
    "a Secret without its key": (
        {"hub": {"redis": {"url": "redis://redis", "existingSecret": "redis"}}},
        "in hub.redis.passwordKey or sentinelPasswordKey the key that holds the password.",
    ),
    "more hubs at least than at most": (
        {"hub": {**REDIS["hub"], "autoscaling": {"enabled": True, "minReplicas": 9}}},
        "lower the one, or raise the other.",
    ),
    "a Secret that is not mounted": (
        {"hub": {"config": {"sources": {"a": {"provider": "github", "secrets_files": [MOUNTED]}}}}},
        "names /run/secrets/directcd/hooks/a, and hub.existingSecrets has no hooks: name",
    ),
    "one program of two": (
        {"client": {"enabled": True}, "server": {"enabled": True}, "targets": [*TARGETS, OTHER]},
        "name the one that the client runs.",
    ),
    "a host that ssh does not know": (
        {"server": {"enabled": True}, "targets": [OTHER]},
        "give the lines that `ssh-keyscan HOST` prints",
    ),
    "a forge's port that is closed": (
        {"server": {"enabled": True}, "targets": [at("http://gitea.git:3000/a/b")]},
        "a repository is at port 3000, and networkPolicy.forgesPorts has it not: add it",
    ),
    "a forge without TLS": (
        {"server": {"enabled": True}, "targets": [at("http://gitea.git/a/b")]},
        "a repository is at port 80,",
    ),
    "servers elsewhere that are out of reach": (
        {"client": {"enabled": True, "config": ELSEWHERE}, "targets": TARGETS},
        "so that client.config.servers are not reached: say where they are",
    ),
    "a hub elsewhere that is out of reach": (
        {"server": {"enabled": True, "config": {"hub": "http://hub.a:8080"}}, "targets": TARGETS},
        "so that server.config.hub is not reached: say where that hub is",
    ),
    "a Redis of servers that is out of reach": (
        {"server": {"enabled": True, "config": {"hub": "redis://a"}}, "targets": TARGETS},
        "so that server.config.hub is not reached: say where Redis runs",
    ),
    "a server with nothing to build": (
        {"server": {"enabled": True}},
        "name it in targets, e.g. targets=[{name: shop, repositories: [{url: ",
    ),
    "a client with nothing to run": (
        {"client": {"enabled": True}},
        "name in targets what the servers build.",
    ),
    "a client with nobody to ask": (
        {"client": {"enabled": True}, "targets": TARGETS},
        "set server.enabled to true, or name those of another release in client.config.servers.",
    ),
    "an Ingress without a name": (
        {"ingress": {"enabled": True}},
        "give the name that forges call, e.g. hub.example.com.",
    ),
    "a route without a Gateway": (
        {"httpRoute": {"enabled": True}},
        "name the Gateway, e.g. [{name: public, namespace: gateways}].",
    ),
    "an Ingress to no hub": (
        {"ingress": PUBLIC, "hub": {"enabled": False}},
        "switch them off here, or the hub on.",
    ),
    "a proxy that is kept out": ({"ingress": PUBLIC}, "say where the proxy runs, e.g. "),
    "an address outside that nobody reaches": (
        {"hub": {"service": {"type": "LoadBalancer"}}},
        "say where the proxy runs, e.g. ",
    ),
    "a Redis out of reach": (REDIS, "say where it runs, e.g. "),
    "a program that nobody reaches": (
        {
            "client": {"enabled": True, "ports": PORTS},
            "server": {"enabled": True},
            "targets": TARGETS,
        },
        "say who may, e.g. ",
    ),
    "less time than the program has": (
        {**example("client"), "client": {"enabled": True, "config": {"stop_timeout_seconds": 90}}},
        "must be at least 100, 10 more than the program has to stop: raise it",
    ),
}


@pytest.mark.parametrize(("values", "step"), TEMPLATES.values(), ids=TEMPLATES)
def test_what_could_not_work_is_refused_with_the_next_step(values: Values, step: str) -> None:
    """In one sentence."""
    assert step in refusal(values)


NOTES: dict[str, list[str]] = {
    "client": ["http://test-directcd-hub.ns:8080/webhooks/github/main"],
    "embedded": ["http://test-directcd-hub.ns:8080/webhooks/github/main"],
    "gateway": ["https://hub.example.com/webhooks/forgejo/main"],
    "guarded": ["https://hub.example.com/webhooks/github/main"],
    "ingress": [
        "https://hub.example.com/webhooks/gitlab/main",
        "https://hub.example.com/webhooks/gogs/mirror",
    ],
    "redis": ["http://test-directcd-hub.ns:8080/webhooks/gitea/main"],
}


@pytest.mark.parametrize(("name", "urls"), NOTES.items(), ids=NOTES)
def test_notes_name_the_webhook_of_each_source_and_the_next_command(
    name: str, urls: list[str]
) -> None:
    """What is pasted into a forge, and what is typed next."""
    lines = [line.strip() for line in rendered(name).notes.splitlines()]
    assert [line for line in lines if "/webhooks/" in line] == urls
    assert "helm test test --namespace ns --logs" in lines


def test_notes_say_how_a_source_is_made_when_there_is_none() -> None:
    """Every delivery would be refused."""
    assert "none yet: every delivery is refused. Give hub.config.sources, e.g." in render({}).notes


def test_notes_warn_of_an_open_api_until_there_are_tokens() -> None:
    """It is guarded by the network policy alone."""
    warned = {name for name in NOTES if "asks nobody for a token" in rendered(name).notes}
    assert warned == NOTES.keys() - {"guarded"}
