"""The official, unmodified Plivo client for Node, where Node is installed and npm can fetch the client."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from accounts.models import Organization
from billing.models import BillingAccount
from tests.billing.api import plivo_server
from tests.billing.api.plivo_server import Customer

VERSION = "4.79.0"
SECONDS = 90

pytestmark = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="needs node and npm")

# Runs the steps of the script against the server, and prints what each gave, or what its error says.
RUN = """
const plivo = require("plivo");
const [address, authId, authToken] = process.argv.slice(1, 4);
const connect = (id, token) => new plivo.Client(id, token, {url: `${address}/v1/Account/${id}`});
const client = connect(authId, authToken);
const attempt = async (call) => {
  try { return await call(); } catch (error) { return {status: error.status, says: error.message, apiId: error.apiID}; }
};
(async () => {
  const out = {};
  %s
  console.log(JSON.stringify(out));
  process.exit(0);
})();
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the client in it."""
    folder = tmp_path_factory.mktemp("plivo")
    command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run([*command, f"plivo@{VERSION}"], check=True, capture_output=True, timeout=SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm can't fetch plivo: {error}")
    return folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with plivo_server.running() as address:
        yield address


@pytest.fixture
def customer(committed: None) -> Customer:
    return plivo_server.customer()


@pytest.fixture
def node(package: Path, address: str, customer: Customer) -> Any:
    """Runs JavaScript that fills `out`, with a `client` of the customer."""

    def run(script: str) -> Any:
        command = ["node", "--no-deprecation", "-e", RUN % script, address, customer.auth_id, customer.token]
        done = subprocess.run(command, cwd=package, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_account_is_read_and_updated(node: Any, customer: Customer) -> None:
    out = node("""
        out.account = await client.accounts.get();
        out.changed = await client.accounts.update({name: "Lucius Fox", city: "New York"});
    """)
    assert (out["account"]["name"], out["account"]["cashCredits"]) == ("Acme Inc.", "0.00000")
    assert out["changed"]["message"] == "changed"
    stored = BillingAccount.objects.of(customer.organization).get()
    assert (stored.name, stored.city, stored.country) == ("Lucius Fox", "New York", "US")


def test_a_subaccount_is_made_read_listed_updated_and_deleted(node: Any, customer: Customer) -> None:
    out = node("""
        const made = out.made = await client.subAccounts.create("Robin", true);
        const own = connect(made.authId, made.authToken);
        out.own = await own.accounts.get();
        out.found = await client.subAccounts.get(made.authId);
        await client.subAccounts.create("Batgirl", false);
        const listed = await client.subAccounts.list({limit: 1, offset: 1});
        out.listed = listed.map((one) => one.name);
        out.meta = listed.meta;
        out.all = (await client.subAccounts.list()).map((one) => one.name);
        out.changed = await client.subAccounts.update(made.authId, "Nightwing", true);
        out.deleted = await client.subAccounts.delete(made.authId, true);
        out.after = await attempt(() => own.accounts.get());
    """)
    assert out["made"]["message"] == "created"
    assert out["own"]["name"] == out["found"]["name"] == "Robin"
    assert (out["found"]["enabled"], out["found"]["account"]) == (True, f"/v1/Account/{customer.auth_id}/")
    assert (out["listed"], out["all"], out["meta"]["totalCount"]) == (["Robin"], ["Batgirl", "Robin"], 2)
    assert (out["changed"]["message"], out["deleted"]) == ("changed", True)
    assert out["after"]["status"] == 401
    closed = Organization.objects.get(auth_id=out["made"]["authId"])
    assert (closed.name, closed.status) == ("Nightwing", "closed")


def test_its_errors_say_what_was_refused(node: Any, customer: Customer) -> None:
    out = node("""
        const stranger = connect(authId, "sk_live_" + "0".repeat(38));
        out.stranger = await attempt(() => stranger.accounts.get());
        out.unknown = await attempt(() => client.subAccounts.get("SA" + "0".repeat(18)));
        out.invalid = await attempt(() => client.accounts.update({name: "x".repeat(101)}));
    """)
    assert (out["stranger"]["status"], "proper credentials" in out["stranger"]["says"]) == (401, True)
    assert (out["unknown"]["status"], out["unknown"]["says"]) == (404, "not found")
    assert (out["invalid"]["status"], out["invalid"]["says"].partition(":")[0]) == (400, "name")
    assert UUID(out["unknown"]["apiId"]) != UUID(out["invalid"]["apiId"])
    assert BillingAccount.objects.of(customer.organization).get().name == "Acme Inc."
