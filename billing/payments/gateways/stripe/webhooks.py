"""Reading a delivery of Stripe's. Whatever can't be trusted or read is `InvalidWebhook`, a 400."""

import json
import re
from collections.abc import Sequence
from datetime import datetime

from stripe import SignatureVerificationError, WebhookSignature

from billing.payments.gateways.errors import InvalidWebhook
from billing.payments.gateways.objects import GatewayEvent
from billing.payments.gateways.stripe import answers

TOLERANCE_SECONDS = 300
_NAME = re.compile(r"[A-Za-z0-9_.]{1,255}")


def read(body: bytes, signature: str, *, secrets: Sequence[str], livemode: bool, now: datetime) -> GatewayEvent:
    """The event, if one of the secrets signed it within five minutes of `now` and it is of our key's mode."""
    try:
        _verify(body.decode(), signature, secrets, now)
        content = json.loads(body)
        if content["object"] != "event" or content["livemode"] is not livemode:
            raise InvalidWebhook("Not an event of this mode.")
        event = answers.event(content)
        for name in (content["id"], content["type"], event.object_id or "none"):
            _require_name(name)
        return event
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError) as error:
        raise InvalidWebhook("The delivery can't be read.") from error


def _require_name(name: str) -> None:
    """Of an event, a type or an object: what we store and look for."""
    if not _NAME.fullmatch(name):
        raise InvalidWebhook("Not a name of Stripe's.")


def _verify(body: str, signature: str, secrets: Sequence[str], now: datetime) -> None:
    if not any(_is_signed_by(secret, body, signature) for secret in secrets):
        raise InvalidWebhook("The signature is not ours.")
    # The first `t` is the one that is signed. A second one must not make an old delivery look new.
    times = [part.split("=")[1] for part in signature.split(",") if part.startswith("t=")]
    # The library accepts any time in the future, so we check both directions.
    if abs(now.timestamp() - int(times[0])) > TOLERANCE_SECONDS:
        raise InvalidWebhook("The delivery is too old, or from the future.")


def _is_signed_by(secret: str, body: str, signature: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, signature, secret, None))
    except (SignatureVerificationError, TypeError):  # TypeError: the signature is not ASCII
        return False
