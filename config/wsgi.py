import gc
import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from accounts.lib import languages
from config import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

telemetry.start()
application = get_wsgi_application()
_ = get_resolver().url_patterns  # loads every view now, which would take the first request a second
for language in languages.codes():
    languages.load(language)
gc.freeze()  # what is loaded now stays, so the collector needn't search it: it took a tenth of a batch's time
