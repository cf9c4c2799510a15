from django.urls import path

from accounts.pages.paths import ORGANIZATION
from apikeys.pages.paths import KEY
from usage.pages import entry, explorer, key, months, quickstart, search, statement, views

app_name = "usage"

urlpatterns = [
    path(ORGANIZATION, views.OverviewView.as_view(), name="overview"),
    path(f"{ORGANIZATION}first-steps/dismiss/", views.DismissView.as_view(), name="dismiss-steps"),
    path(f"{ORGANIZATION}quickstart/", quickstart.QuickstartView.as_view(), name="quickstart"),
    path(f"{ORGANIZATION}search/", search.SearchView.as_view(), name="search"),
    path(f"{ORGANIZATION}usage/", explorer.UsageView.as_view(), name="usage"),
    path(f"{ORGANIZATION}usage/months/", months.MonthsView.as_view(), name="months"),
    path(f"{ORGANIZATION}usage/months/<str:month>/", months.MonthView.as_view(), name="month"),
    path(f"{ORGANIZATION}ledger/<int:seq>/", entry.EntryView.as_view(), name="entry"),
    path(f"{ORGANIZATION}ledger/statement/", statement.StatementView.as_view(), name="statement"),
    path(f"{ORGANIZATION}ledger/explain/", entry.ExplainView.as_view(), name="explain"),
    path(f"{ORGANIZATION}keys/{KEY}", key.KeyView.as_view(), name="key"),
    path(f"{ORGANIZATION}keys/{KEY}disable/", key.DisableKeyView.as_view(), name="disable-key"),
    path(f"{ORGANIZATION}keys/{KEY}revoke/", key.RevokeKeyView.as_view(), name="revoke-key"),
]
