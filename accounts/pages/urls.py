from allauth.account import views as allauth
from django.urls import path, re_path
from django.views.generic import RedirectView

from accounts.pages import views
from accounts.pages.invitations import AcceptInvitationView
from accounts.pages.paths import ORGANIZATION
from accounts.pages.webhooks import deliveries, endpoints, switches

# Only these pages of allauth's, under its names. Only an operator changes an email address, so its email pages are not
# here. A person without a password sets one through the reset.
doors = [
    path("accounts/login/", allauth.login, name="account_login"),
    path("accounts/logout/", allauth.logout, name="account_logout"),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/signup/", views.SignupView.as_view(), name="account_signup"),
    path("accounts/password/change/", allauth.password_change, name="account_change_password"),
    path(
        "accounts/password/set/",
        RedirectView.as_view(pattern_name="account_reset_password"),
        name="account_set_password",
    ),
    path("accounts/password/reset/", allauth.password_reset, name="account_reset_password"),
    path("accounts/password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    path(
        "accounts/password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]

ENDPOINT = f"{ORGANIZATION}webhooks/<str:endpoint>/"
DELIVERIES = f"{ORGANIZATION}webhooks/deliveries/"
webhooks = [
    path(f"{ORGANIZATION}webhooks/", endpoints.EndpointsView.as_view(), name="webhooks"),
    path(f"{ORGANIZATION}webhooks/new/", endpoints.NewEndpointView.as_view(), name="webhook-new"),
    path(ENDPOINT, endpoints.EndpointView.as_view(), name="webhook-endpoint"),
    path(f"{ENDPOINT}change/", endpoints.ChangeEndpointView.as_view(), name="webhook-change"),
    path(f"{ENDPOINT}rotate/", endpoints.RotateView.as_view(), name="webhook-rotate"),
    path(f"{ENDPOINT}enable/", switches.EnableView.as_view(), name="webhook-enable"),
    path(f"{ENDPOINT}disable/", switches.DisableView.as_view(), name="webhook-disable"),
    path(f"{ENDPOINT}delete/", switches.DeleteView.as_view(), name="webhook-delete"),
    path(f"{ENDPOINT}test/", switches.TestView.as_view(), name="webhook-test"),
    path(f"{ENDPOINT}replay/", deliveries.ReplayView.as_view(), name="webhook-replay"),
    path(
        f"{ORGANIZATION}webhooks/deliveries/<str:delivery>/", deliveries.DeliveryView.as_view(), name="webhook-delivery"
    ),
]

urlpatterns = [
    *doors,
    *webhooks,
    path("", views.HomeView.as_view(), name="home"),
    path("organizations/", views.OrganizationsView.as_view(), name="organizations"),
    path("invitations/accept", AcceptInvitationView.as_view(), name="accept-invitation"),
    path("theme/", views.ThemeView.as_view(), name="theme"),
    path("profile/", views.ProfileView.as_view(), name="profile"),
    path(f"{ORGANIZATION}switch/", views.SwitchView.as_view(), name="switch"),
]
