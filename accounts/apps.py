from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        """Each app registers its event types in its module `events`, and what is exported in its module `exports`."""
        autodiscover_modules("events", "exports")
