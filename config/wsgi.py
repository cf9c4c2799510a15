import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()
gc.freeze()  # what is loaded stays: a batch of events would have it searched for garbage, for a tenth of its time
