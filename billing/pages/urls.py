from django.urls import path

from accounts.pages.paths import ORGANIZATION
from billing.pages import (
    alerts,
    auto_recharge,
    cards,
    closing,
    credits,
    details,
    hold_list,
    invoices,
    ledger,
    lots,
    payment_list,
    payments,
    plan,
    purchases,
    sandbox,
    tree,
)

app_name = "billing"

NODE = f"{ORGANIZATION}organizations/<acct:node>/"

urlpatterns = [
    path(f"{ORGANIZATION}organizations/", tree.TreeView.as_view(), name="tree"),
    path(NODE, tree.NodeView.as_view(), name="node"),
    path(f"{NODE}budget/", tree.NodeBudgetView.as_view(), name="node-budget"),
    path(f"{NODE}move/", tree.MoveView.as_view(), name="move-node"),
    path(f"{NODE}suspend/", tree.SuspendView.as_view(), name="suspend-node"),
    path(f"{NODE}close/", closing.CloseView.as_view(), name="close-node"),
    path(f"{NODE}resume/", tree.ResumeView.as_view(), name="resume-node"),
    path(f"{ORGANIZATION}plan/", plan.PlanView.as_view(), name="plan"),
    path(f"{ORGANIZATION}plan/change/", plan.ChangePlanView.as_view(), name="change-plan"),
    path(f"{ORGANIZATION}plan/cancel/", plan.CancelPlanView.as_view(), name="cancel-plan"),
    path(f"{ORGANIZATION}plan/resume/", plan.ResumePlanView.as_view(), name="resume-plan"),
    path(f"{ORGANIZATION}plan/retry/", plan.RetryPlanView.as_view(), name="retry-plan"),
    path(f"{ORGANIZATION}credits/", credits.CreditsView.as_view(), name="credits"),
    path(f"{ORGANIZATION}credits/account/", credits.CreateAccountView.as_view(), name="create-account"),
    path(f"{ORGANIZATION}credits/cards/", cards.AddCardView.as_view(), name="add-card"),
    path(f"{ORGANIZATION}credits/cards/page/", payments.SetupView.as_view(), name="cards"),
    path(f"{ORGANIZATION}credits/cards/<str:card>/default/", cards.ChangeCardView.as_view(), name="card-default"),
    path(
        f"{ORGANIZATION}credits/cards/<str:card>/backup/",
        cards.ChangeCardView.as_view(role="is_backup"),
        name="card-backup",
    ),
    path(f"{ORGANIZATION}credits/cards/<str:card>/remove/", cards.RemoveCardView.as_view(), name="remove-card"),
    path(f"{ORGANIZATION}payments/", payment_list.PaymentsView.as_view(), name="payments"),
    path(f"{ORGANIZATION}payments/<str:payment>/", payments.PaymentView.as_view(), name="payment"),
    path(f"{ORGANIZATION}credits/auto-recharge/", auto_recharge.AutoRechargeView.as_view(), name="auto-recharge"),
    path(f"{ORGANIZATION}credits/auto-recharge/retry/", auto_recharge.RetryView.as_view(), name="retry-recharge"),
    path(f"{ORGANIZATION}credits/warning/", alerts.AlertsView.as_view(), name="alerts"),
    path(f"{ORGANIZATION}credits/buy/", purchases.PurchaseView.as_view(), name="buy"),
    path(f"{ORGANIZATION}credits/lots/", lots.LotsView.as_view(), name="lots"),
    path(f"{ORGANIZATION}credits/holds/", hold_list.HoldsView.as_view(), name="holds"),
    path(f"{ORGANIZATION}credits/ledger/", ledger.LedgerView.as_view(), name="ledger"),
    path(f"{ORGANIZATION}invoices/", invoices.InvoicesView.as_view(), name="invoices"),
    path(f"{ORGANIZATION}invoices/details/", details.BillingDetailsView.as_view(), name="details"),
    path(f"{ORGANIZATION}invoices/<str:invoice>/", invoices.InvoiceView.as_view(), name="invoice"),
    path(f"{ORGANIZATION}invoices/<str:invoice>/csv/", invoices.AnnexView.as_view(), name="invoice-csv"),
    path(f"{ORGANIZATION}invoices/<str:invoice>/pdf/", invoices.DocumentView.as_view(), name="invoice-pdf"),
    path("sandbox/sessions/<str:id>/", sandbox.SessionPage.as_view(), name="sandbox-session"),
    path("sandbox/authentications/<str:id>/", sandbox.AuthenticationPage.as_view(), name="sandbox-authentication"),
]
