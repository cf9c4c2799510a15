"""GET /metrics: the counters, who may see them, and that several processes count together."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.test import Client

from accounts.models import Organization
from tests import factories
from tests.config.web.conftest import running
from usage.reporting import installation

pytestmark = pytest.mark.django_db


def value(text: str, sample: str) -> float:
    match = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(match[1]) if match else 0


def scraped(client: Client) -> str:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    return response.content.decode()


def test_requests_verdicts_and_events_are_counted(client: Client, organization: Organization) -> None:
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {factories.platform_key()}"
    samples = [
        'tollgate_http_requests_total{method="POST",route="v1/keys/verify",status="200"}',
        'tollgate_http_request_seconds_count{route="v1/keys/verify"}',
        'tollgate_gate_verdicts_total{code="NOT_FOUND"}',
        'tollgate_usage_events_total{result="rejected"}',
    ]
    before = scraped(client)
    client.post("/v1/keys/verify", {"key": "sk_live_unknown"}, content_type="application/json")
    client.post("/v1/usage/events", {"id": "e", "meter": "fax"}, content_type="application/json")
    after = scraped(client)
    assert [value(after, sample) - value(before, sample) for sample in samples] == [1, 1, 1, 1]


def test_routes_are_patterns_so_that_nobody_makes_new_series(client: Client) -> None:
    client.get("/v1/members/17")
    client.get("/nothing/here-17")
    client.generic("MADE-UP-17", "/")
    text = scraped(client)
    assert "17" not in re.sub(r" \S+\n", "\n", "".join(re.findall(r'route="[^"]*".*\n', text)))
    assert "MADE-UP" not in text
    assert 'method="(other)"' in text


def test_the_installations_figures_are_there(client: Client) -> None:
    text = scraped(client)
    assert value(text, "tollgate_database_up") == 1
    assert value(text, "tollgate_partition_days") > 60
    for name in ("waiting_rows", "waiting_seconds", "webhook_endpoints", "recharges", "open_payments"):
        assert f"\ntollgate_{name}{{" in text


def test_without_a_database_the_counters_are_still_there(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> Any:
        raise DatabaseError("down")

    monkeypatch.setattr(installation, "waiting", down)
    text = scraped(client)
    assert value(text, "tollgate_database_up") == 0
    assert "tollgate_http_requests_total" in text
    assert "tollgate_waiting_rows{" not in text


@pytest.mark.parametrize("name", ["alerts.yml", "dashboard.json"])
def test_what_is_deployed_asks_only_for_what_there_is(client: Client, name: str) -> None:
    client.get("/healthz")
    families = set(re.findall(r"^# TYPE (\w+)", scraped(client), re.MULTILINE))
    metrics = set(re.findall(r"\btollgate_\w+", (settings.BASE_DIR / "deploy" / "prometheus" / name).read_text()))
    assert len(metrics) > 8
    assert {re.sub("_bucket$", "", metric) for metric in metrics} <= families


@pytest.mark.parametrize(
    ("production", "token", "header", "status"),
    [
        (False, "", "", 200),
        (True, "", "", 404),
        (True, "", "Bearer ", 404),
        (True, "secret", "", 404),
        (True, "secret", "Bearer wrong", 404),
        (True, "secret", "Bearer sécret", 404),
        (True, "secret", "Bearer secret", 200),
    ],
)
def test_who_may_read_it(client: Client, settings: Any, production: bool, token: str, header: str, status: int) -> None:
    settings.PRODUCTION, settings.METRICS_TOKEN = production, token
    assert client.get("/metrics", HTTP_AUTHORIZATION=header).status_code == status


def test_the_workers_of_a_server_count_together(second_database: str) -> None:
    with running(second_database) as server:
        for _ in range(20):
            server.get("/healthz")
            server.get("/v1/whoami")
        texts = [server.get("/metrics").decode() for _ in range(4)]
    sample = 'tollgate_http_requests_total{method="GET",route="v1/whoami",status="401"}'
    assert {value(text.replace("\r", ""), sample) for text in texts} == {20}
