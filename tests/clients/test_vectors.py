"""The vectors that both clients share: amounts, answers, webhooks."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tollgate_client import NotSigned, verify_webhook
from tollgate_client.client import decode, encode

VECTORS = json.loads((Path(__file__).resolve().parent.parent.parent / "clients" / "vectors.json").read_text())
WEBHOOKS = VECTORS["webhooks"]


@pytest.mark.parametrize("text", VECTORS["amounts"])
def test_amounts_are_exact(text: str) -> None:
    assert encode({"amount": Decimal(text)}) == f'{{"amount":"{text}"}}'.encode()


@pytest.mark.parametrize("answer", VECTORS["answers"])
def test_answers_are_read_without_a_float(answer: dict[str, Any]) -> None:
    body = decode(200, answer["text"].encode())
    assert {name: Decimal(body[name]) for name in answer["amounts"]} == {
        name: Decimal(text) for name, text in answer["amounts"].items()
    }
    assert (body["code"], body["detail"]) == (answer["code"], answer["detail"])


@pytest.mark.parametrize("case", WEBHOOKS["cases"], ids=lambda case: case["what"])
def test_webhooks(case: dict[str, Any]) -> None:
    body, now = case.get("body", WEBHOOKS["body"]), case.get("now", WEBHOOKS["now"])
    for content in (body, body.encode()):
        if case["signed"]:
            assert verify_webhook(content, case["headers"], case["secrets"], now=now) == json.loads(body)
        else:
            with pytest.raises(NotSigned):
                verify_webhook(content, case["headers"], case["secrets"], now=now)
