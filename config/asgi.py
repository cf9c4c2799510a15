"""The application that the web server calls: `python -m config.web` serves it."""

from django.conf import settings

from config import telemetry
from config.web.bridge import Bridge
from config.web.front import Front
from config.wsgi import application as django

MARGIN_SECONDS = 0.5  # for the answer to get to the caller within the time limit

application = Bridge(
    django,
    threads=settings.WEB_THREADS,
    seconds=settings.REQUEST_TIMEOUT_SECONDS - MARGIN_SECONDS,
    front=None
    if telemetry.is_on()
    else Front(settings.WEB_THREADS if settings.PREPARE else 0),  # traces are taken by a middleware
)
