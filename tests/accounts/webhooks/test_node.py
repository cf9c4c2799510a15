"""What a receiver got during a rotation is verified by the official libraries for Node and Python; changed, it is not.

Needs node, and npm that can fetch the library.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts import events
from accounts.events import publication
from accounts.models import Organization, User
from accounts.webhooks import outbox, worker
from tests.accounts.webhooks.inbox import inbox

VERSION = "1.1.1"
SECONDS = 90

pytestmark = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="needs node and npm")

VERIFY = """
const { Webhook } = require("standardwebhooks");
const { body, headers, secrets } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const attempt = (secret, text) => {
  try { return new Webhook(secret).verify(text, headers); } catch (error) { return String(error.message); }
};
console.log(JSON.stringify(secrets.map((secret) => [attempt(secret, body), attempt(secret, body + " ")])));
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library in it."""
    folder = tmp_path_factory.mktemp("standardwebhooks")
    command = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        subprocess.run([*command, f"standardwebhooks@{VERSION}"], check=True, capture_output=True, timeout=SECONDS)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm can't fetch standardwebhooks: {error}")
    return folder


def test_both_libraries_verify_with_both_secrets(
    api: Any, alice: User, organization: Organization, package: Path, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    settings.BASE_URL = "https://tollgate.example.com"
    client = api(alice)
    with inbox() as box:
        made = client.post("/v1/webhook-endpoints", {"url": box.url, "event_types": ["credits.low"]}).json()
        new = client.post(f"/v1/webhook-endpoints/{made['id']}/rotate", {"overlap_seconds": 60}).json()["secret"]
        events.record(organization.pk, "credits.low", {"balance": 19.5, "name": "é"}, timezone.now())
        publication.publish_due(outbox.fan_out)
        assert worker.run() == 1
    [request] = box.requests
    secrets, expected = [made["secret"], new], json.loads(request.body)
    for secret in secrets:
        assert Webhook(secret).verify(request.body, request.headers) == expected
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(request.body + b" ", request.headers)
    material = {"body": request.body.decode(), "headers": request.headers, "secrets": secrets}
    done = subprocess.run(
        ["node", "-e", VERIFY], cwd=package, input=json.dumps(material), capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[expected, "No matching signature found"]] * 2
