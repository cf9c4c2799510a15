from django.urls import path

from benchmarks import bare
from config.urls import *  # noqa: F403
from config.urls import urlpatterns as own

urlpatterns = [
    *own,
    path("bench/pid", bare.pid),
    path("bench/select", bare.select),
    path("bench/insert", bare.insert),
]
