"""The errors of gateways. `docs/payments.md` says which gateway response becomes which error."""


class GatewayError(Exception):
    """The gateway didn't do what we asked. A declined card isn't an error: it is a normal result."""


class GatewayUnavailable(GatewayError):
    """No answer, a server error, busy, or too many requests. It may have happened: leave it pending and retry later."""


class GatewayMisconfigured(GatewayError):
    """Our credentials are wrong, or may not do this. Stop charging for everybody and raise an alarm; rows wait."""


class GatewayRefused(GatewayError):
    """The request was refused for good, and nothing happened. `code` is the gateway's; fail the row with it."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code


class UnknownToken(GatewayRefused):
    """The gateway doesn't have this card, or it belongs to another customer."""


class UnknownCustomer(GatewayRefused):
    """The customer was deleted at the gateway, and its cards with it. Make a new one."""


class UnknownObject(GatewayRefused):
    """The gateway doesn't have this intent, page, refund or dispute. If it made it, our key is of another account."""


class UnexpectedState(GatewayError):
    """The object's state doesn't allow this, or the key was used for something else. Retrieve and settle it."""


class InvalidWebhook(GatewayError):
    """A delivery that can't be trusted or read. Answer 400."""
