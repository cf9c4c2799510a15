"""A gate in front of an ASGI application, such as FastAPI's, Starlette's or Django's."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tollgate_client.gate import Gate, Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
UNFINISHED = 499  # as nginx calls it: the customer didn't wait


class Middleware:
    """`app.add_middleware(Middleware, gate=gate)`. The application finds the passage in `scope["tollgate"]`.

    The customer's address is that of the connection: behind a proxy, put a middleware in front that corrects it.
    """

    def __init__(self, app: Application, gate: Gate) -> None:
        self.app, self.gate = app, gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, (ip, _) = scope["path"], scope.get("client") or (None, None)
        answer = await asyncio.to_thread(self.gate.ask, scope["method"], path, _headers(scope), ip)
        if isinstance(answer, Refusal):
            await _refuse(answer, send)
            return
        if answer is None:
            await self.app(scope, receive, send)
            return
        scope["tollgate"] = answer
        served = _Served(send)
        try:
            await self.app(scope, receive, served)
        finally:
            # Starlette and FastAPI leave the route here. Its pattern keeps customers' ids out of the endpoint's name.
            endpoint = getattr(scope.get("route"), "path", None) or path
            await asyncio.to_thread(self.gate.report, answer, endpoint, served.outcome)


class _Served:
    """Passes a response on, and remembers how it ended."""

    def __init__(self, send: Send) -> None:
        self.send, self.status, self.is_finished = send, 500, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self.send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.is_finished = True

    @property
    def outcome(self) -> int:
        """The status; 499 if it began and didn't end, 500 if nothing came."""
        return self.status if self.is_finished or self.status == 500 else UNFINISHED


async def _refuse(refusal: Refusal, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in refusal.headers]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": refusal.body})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
