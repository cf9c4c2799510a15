from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext, gettext_noop

from accounts.lib.money import plain
from accounts.lib.problems import NotFound
from accounts.lib.sentences import filled
from billing.change_requests.action import Action, Amount, Figures, Params
from billing.models import EndpointPrice, Meter, Price, PriceTier


class ChangePrice(Action):
    """Sets the price of a meter's unit and its tiers, or the price at one endpoint. It concerns every customer.

    - `unit_amount`: credits; null takes the endpoint's own price away.
    - `tiers`: pairs of `up_to` and `unit_amount`, the complete list from then on. Ignored with an endpoint.
    """

    kind = "price"
    always_needs_approval = True

    def load(self, subject: str) -> Meter:
        meter = Meter.objects.filter(slug=subject).first()
        if meter is None:
            raise NotFound("There is no such meter.")
        return meter

    def organization(self, row: Meter) -> None:
        return None

    def lock(self, row: Meter, now: datetime) -> None:
        Price.objects.select_for_update(no_key=True).get(meter=row)

    def figures(self, row: Meter, now: datetime) -> Figures:
        price = Price.objects.get(meter=row)
        figures: Figures = {filled("Price of a unit (%(unit)s)", unit=row.unit): Amount(price.unit_amount)}
        figures |= {_name(tier): Amount(tier.unit_amount) for tier in price.tiers.all()}
        at_endpoints = EndpointPrice.objects.filter(meter=row)
        return figures | {
            filled("At %(endpoint)s", endpoint=own.endpoint): Amount(own.unit_amount) for own in at_endpoints
        }

    def run(self, row: Meter, params: Params, *, reason: str, actor: str, now: datetime) -> str:
        price = Price.objects.get(meter=row)
        if endpoint := params["endpoint"]:
            own = EndpointPrice.objects.filter(meter=row, endpoint=endpoint)
            own.delete()
            if params["unit_amount"] is not None:
                EndpointPrice.objects.create(meter=row, endpoint=endpoint, unit_amount=Decimal(params["unit_amount"]))
        else:
            price.unit_amount = Decimal(params["unit_amount"])
            price.save(update_fields=["unit_amount"])
            price.tiers.all().delete()
            tiers = [(None if up_to is None else Decimal(up_to), Decimal(amount)) for up_to, amount in params["tiers"]]
            PriceTier.objects.bulk_create(
                PriceTier(price=price, up_to=up_to, unit_amount=amount) for up_to, amount in tiers
            )
        return gettext("The price counts from the next event on.")


def _name(tier: PriceTier) -> str:
    if tier.up_to is None:
        return gettext_noop("Up to any quantity")
    return filled("Up to %(quantity)s", quantity=plain(tier.up_to))
