from django.urls import path

from accounts.pages.paths import ORGANIZATION
from apikeys.pages.paths import KEY
from usage.pages import explorer, key, views

app_name = "usage"

urlpatterns = [
    path(ORGANIZATION, views.OverviewView.as_view(), name="overview"),
    path(f"{ORGANIZATION}usage/", explorer.UsageView.as_view(), name="usage"),
    path(f"{ORGANIZATION}keys/{KEY}", key.KeyView.as_view(), name="key"),
    path(f"{ORGANIZATION}keys/{KEY}revoke/", key.RevokeKeyView.as_view(), name="revoke-key"),
]
