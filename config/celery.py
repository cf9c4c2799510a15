"""The Celery application: broker, schedule and options come from the settings that begin with CELERY_."""

import os

from celery import Celery, signals

from config import task_origin, telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# A name server that doesn't answer would hold a thread that sends webhooks for 20 seconds. This makes it 2.
os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:1")

app = Celery("tollgate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
task_origin.connect()
signals.worker_init.connect(lambda **_: telemetry.start(), weak=False)  # before the pool of the worker is forked
