from django.urls import path, re_path

from usage.api import ingest
from usage.api.account import SummaryView, UsageView
from usage.api.authorize.views import authorize
from usage.api.clock import ClockView
from usage.api.details import DetailsView
from usage.api.months import MonthlyUsageViewSet
from usage.api.openmeter import OpenMeterEventsView
from usage.api.overview import ChecklistView, OverviewView
from usage.api.search import SearchView
from usage.api.statement import StatementDocumentView, StatementView
from usage.api.timeseries import UsageSeriesView
from usage.api.verify import views as verify
from usage.api.voids import VoidView

urlpatterns = [
    path("v1/keys/verify", verify.verify),
    path("v1/keys/verify/batch", verify.verify_batch),
    path("v1/gate/authorize", authorize),
    re_path(r"^v1/gate/authorize/(?P<path>(?s:.*))$", authorize),  # any path of a customer's, also none
    path("v1/usage/events", ingest.record),
    path("v1/account/details", DetailsView.as_view()),
    path("auth/account/usage", UsageView.as_view()),
    path("auth/account/summary", SummaryView.as_view()),
    path("v1/sandbox/clock", ClockView.as_view()),
    path("v1/overview", OverviewView.as_view()),
    path("v1/overview/checklist", ChecklistView.as_view()),
    path("v1/search", SearchView.as_view()),
    path("v1/ledger/statement", StatementView.as_view()),
    path("v1/ledger/statement/pdf", StatementDocumentView.as_view()),
    path("v1/usage", UsageSeriesView.as_view()),
    path("v1/usage/months", MonthlyUsageViewSet.as_view({"get": "list"})),
    path("v1/usage/events/<path:id>/void", VoidView.as_view()),  # an id may have slashes
    path("api/v1/events", OpenMeterEventsView.as_view()),
]
