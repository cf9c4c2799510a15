from django.urls import path

from usage.api.account import SummaryView, UsageView
from usage.api.details import DetailsView
from usage.api.views import EventsView, VerifyView

urlpatterns = [
    path("v1/account/details", DetailsView.as_view()),
    path("auth/account/usage", UsageView.as_view()),
    path("auth/account/summary", SummaryView.as_view()),
    path("v1/usage/events", EventsView.as_view()),
    path("v1/keys/verify", VerifyView.as_view()),
]
