from django.apps import AppConfig


class BillingConfig(AppConfig):
    name = "billing"

    def ready(self) -> None:
        from billing.payments import gateways  # needs the models, which are loaded by now

        gateways.chosen()  # Stripe's library loads slowly: better now than in the first request that needs it
