from django.apps import AppConfig
from django.db.models.signals import post_migrate


class UsageConfig(AppConfig):
    name = "usage"

    def ready(self) -> None:
        """This is the last app to be migrated: its permissions, and all others, are there before the groups' turn."""
        from usage import operator_groups  # needs the models, which are loaded by now

        post_migrate.connect(operator_groups.fill, sender=self, dispatch_uid="operator groups")
