from django.urls import path, re_path
from rest_framework.routers import SimpleRouter

from billing.api import plivo
from billing.api.account import CreditsView, LedgerViewSet
from billing.api.alerts import AlertsView
from billing.api.auto_recharge import AutoRechargeView, RetryView
from billing.api.budgets import BudgetView
from billing.api.catalog import MeterViewSet, PlanViewSet
from billing.api.corrections import AdjustmentsView, ReverseView
from billing.api.finance import FinancePackageViewSet
from billing.api.grants import GrantViewSet
from billing.api.holds import HoldViewSet
from billing.api.invoices import InvoiceViewSet
from billing.api.leases import LeaseViewSet
from billing.api.ledger_export import LedgerExportView, LedgerHeadView
from billing.api.mikrocloud import AccountView
from billing.api.organizations import OrganizationViewSet
from billing.api.payment_methods import PaymentMethodViewSet
from billing.api.payments import PaymentViewSet, PurchaseView
from billing.api.stripe_webhooks import StripeWebhookView
from billing.api.subscriptions import SubscriptionViewSet

router = SimpleRouter(trailing_slash=False)
router.register("v1/organizations", OrganizationViewSet)
router.register("v1/payment-methods", PaymentMethodViewSet)
router.register("v1/payments", PaymentViewSet)
router.register("v1/invoices", InvoiceViewSet)
router.register("v1/finance-packages", FinancePackageViewSet)
router.register("v1/plans", PlanViewSet)
router.register("v1/meters", MeterViewSet)
router.register("v1/subscriptions", SubscriptionViewSet)
router.register("v1/credits/holds", HoldViewSet)
router.register("v1/credits/leases", LeaseViewSet, basename="lease")
router.register("v1/credits/grants", GrantViewSet)
router.register("auth/account/ledger", LedgerViewSet)

# Plivo's client for Node sends the slash after the account twice. PostgreSQL's text can't hold a NUL.
ID = r"[^/\x00]+"
PLIVO = rf"^v1/Account/(?P<auth_id>{ID})"

urlpatterns = [
    re_path(rf"{PLIVO}/*$", plivo.AccountView.as_view()),
    re_path(rf"{PLIVO}/Subaccount/*$", plivo.SubaccountsView.as_view()),
    re_path(rf"{PLIVO}/Subaccount/(?P<subauth_id>{ID})/*$", plivo.SubaccountView.as_view()),
    path("v1/account", AccountView.as_view()),
    path("v1/credits/purchases", PurchaseView.as_view()),
    path("v1/credits/auto-recharge", AutoRechargeView.as_view()),
    path("v1/credits/auto-recharge/retry", RetryView.as_view()),
    path("v1/credits/adjustments", AdjustmentsView.as_view()),
    path("v1/ledger/export", LedgerExportView.as_view()),
    path("v1/ledger/head", LedgerHeadView.as_view()),
    re_path(r"^v1/ledger/(?P<id>[0-9]{1,18})/reverse$", ReverseView.as_view()),
    path("v1/credits/alerts", AlertsView.as_view()),
    re_path(r"^v1/organizations/(?P<id>[a-z0-9_]{1,21})/budget$", BudgetView.as_view()),
    path("auth/account/credits", CreditsView.as_view()),
    path("webhooks/stripe", StripeWebhookView.as_view()),
    *router.urls,
]
