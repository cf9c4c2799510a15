"""The message that `make run` prints when Tollgate answers: its address, the demo's sign-ins, and first requests with
curl.
"""

import json
from pathlib import Path
from typing import Any

ADDRESSES = """
Tollgate is at {base}

  Dashboard   {base}/
  Admin       {base}/admin/
  API         {base}/docs
"""
SIGN_INS = """
Demo sign-ins

  Customer    {owner[email]}   {owner[password]}
  Operator    {operator[email]}   {operator[password]}   (adds a second factor at the first sign-in)

Try it: a gateway asks about a customer's key, reports a request, and the customer sees it.

{conversation}"""
CURL = "curl -s {url} -H 'Authorization: Bearer {key}'"
BODY = " \\\n    -H 'Content-Type: application/json' -d '{body}'"


def text(base: str, demo: Path) -> str:
    """The whole message. `demo` is the file that `manage.py make_demo` writes; it may be missing."""
    addresses = ADDRESSES.format(base=base)
    if not demo.exists():
        return addresses
    people = json.loads(demo.read_text())
    return addresses + SIGN_INS.format(**people, conversation=_conversation(base, people))


def _conversation(base: str, demo: dict[str, Any]) -> str:
    gateway, customer, organization = demo["platform_key"], demo["api_key"], demo["organization"]
    event = {"id": "req-1", "organization": organization, "meter": "requests", "endpoint": "/hello"}
    steps = [
        _curl(f"{base}/v1/keys/verify", gateway, {"key": customer, "meter": "requests"}),
        _curl(f"{base}/v1/usage/events", gateway, event),
        _curl(f"{base}/auth/account/usage", customer),
    ]
    return "".join(f"  {step}; echo\n" for step in steps)


def _curl(url: str, key: str, body: dict[str, str] | None = None) -> str:
    return CURL.format(url=url, key=key) + (BODY.format(body=json.dumps(body)) if body else "")
