"""The JavaScript client: its own tests, run by node against a live server, and the package that is published.

Needs node 20 or newer, and npm that can fetch the libraries that are locked.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from accounts.models import Organization
from tests import factories

CLIENTS = Path(__file__).resolve().parent.parent.parent / "clients"
COPIED = ("package.json", "package-lock.json", "tsconfig.json", "README.md", "src", "test")
QUIET = ("--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline", "--ignore-scripts")
SECONDS = 180

pytestmark = pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="needs node and npm")


def run(*command: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, built in a folder of its own."""
    home = tmp_path_factory.mktemp("javascript")
    folder = home / "clients" / "javascript"
    folder.mkdir(parents=True)
    shutil.copy(CLIENTS / "vectors.json", folder.parent)
    for name in COPIED:
        source = CLIENTS / "javascript" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    try:
        run("npm", "ci", *QUIET, folder=folder)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm can't fetch what is locked: {str(error)[-300:]}")
    run("npx", "tsc", folder=folder)
    return folder


def test_its_own_tests_pass(package: Path, address: str, platform_secret: str, customer: Organization) -> None:
    key, secret = factories.key(customer, permissions=["messaging:send"])
    server = {"url": address, "platformSecret": platform_secret, "organization": customer.public_id}
    context = json.dumps({**server, "keyId": key.public_id, "secret": secret})
    files = sorted(str(path) for path in package.glob("dist/test/*.test.js"))
    output = run("node", "--test", "--test-concurrency=1", *files, folder=package, TOLLGATE=context)
    assert "# fail 0" in output
    assert "# skipped 0" in output


def test_what_is_published_can_be_imported_and_has_no_dependency(package: Path, tmp_path: Path) -> None:
    [packed] = json.loads(run("npm", "pack", "--json", "--ignore-scripts", folder=package))
    assert not any("test" in file["path"] for file in packed["files"])
    (tmp_path / "package.json").write_text('{"type": "module"}')
    run("npm", "install", *QUIET, str(package / packed["filename"]), folder=tmp_path)
    assert [path.name for path in (tmp_path / "node_modules").glob("[!.]*")] == ["tollgate-client"]
    source = """
        import { Client, Lease, Reporter, Spool, verifyWebhook } from "tollgate-client";
        import { gate } from "tollgate-client/express";
        import { gate as fastify } from "tollgate-client/fastify";
        const verbs = [Client, Lease, Reporter, Spool, verifyWebhook, gate, fastify];
        console.log(verbs.every((verb) => typeof verb === "function"));
    """
    assert run("node", "--input-type=module", "--eval", source, folder=tmp_path) == "true\n"
