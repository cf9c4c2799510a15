from django.contrib import admin
from django.contrib.admin import apps

from config import names


class AdminConfig(apps.AdminConfig):
    default_site = "config.admin.OperatorSite"

    def ready(self) -> None:
        super().ready()
        names.translate(admin.site)
