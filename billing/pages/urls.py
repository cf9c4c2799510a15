from django.urls import path

from accounts.pages.paths import ORGANIZATION
from billing.pages import views

app_name = "billing"

urlpatterns = [
    path(f"{ORGANIZATION}credits/", views.CreditsView.as_view(), name="credits"),
    path(f"{ORGANIZATION}credits/account/", views.CreateAccountView.as_view(), name="create-account"),
    path(f"{ORGANIZATION}credits/cards/", views.AddCardView.as_view(), name="add-card"),
    path(f"{ORGANIZATION}credits/buy/", views.PurchaseView.as_view(), name="buy"),
    path(f"{ORGANIZATION}credits/ledger/", views.LedgerView.as_view(), name="ledger"),
]
