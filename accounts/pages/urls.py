from allauth.account import views as allauth
from allauth.mfa.base import views as mfa
from allauth.mfa.recovery_codes.views import view_recovery_codes
from allauth.mfa.webauthn import views as webauthn
from django.urls import path
from django.views.generic import RedirectView

from accounts.pages import email_changes, events, exports, factors, providers, views
from accounts.pages.invitations import AcceptInvitationView
from accounts.pages.paths import ORGANIZATION
from accounts.pages.sessions import EndSignInView
from accounts.pages.tokens import TokensView
from accounts.pages.visits import EndVisitView
from accounts.pages.webhooks import deliveries, endpoints, switches

# Only these pages of allauth's, under its names. The pages of email addresses are our own.
# A person without a password sets one through the reset, whose last page is in `apikeys.pages`.
doors = [
    path("accounts/login/", views.LoginView.as_view(), name="account_login"),
    path("accounts/login/organization/", providers.OrganizationSignInView.as_view(), name="organization-sign-in"),
    path("accounts/providers/<str:provider>/", providers.BeginView.as_view(), name="provider-begin"),
    path("accounts/providers/<str:provider>/callback/", providers.CallbackView.as_view(), name="provider-callback"),
    path("accounts/security/links/<uuid:id>/remove/", providers.UnlinkView.as_view(), name="unlink"),
    path("accounts/security/tokens/", TokensView.as_view(), name="tokens"),
    path("accounts/logout/", allauth.logout, name="account_logout"),
    path("accounts/inactive/", allauth.account_inactive, name="account_inactive"),
    path("accounts/signup/", views.SignupView.as_view(), name="account_signup"),
    path("accounts/verify/", views.VerifyView.as_view(), name="account_verify"),
    path("accounts/email/", email_changes.ChangeEmailView.as_view(), name="change-email"),
    path("accounts/email/confirm/", email_changes.ConfirmEmailView.as_view(), name="confirm-email"),
    path("accounts/confirm/", factors.ConfirmPasswordView.as_view(), name="account_reauthenticate"),
    path("accounts/security/", factors.SecurityPageView.as_view(), name="mfa_index"),
    path("accounts/security/sign-ins/end/", EndSignInView.as_view(), name="end-other-sign-ins"),
    path("accounts/security/sign-ins/<uuid:id>/end/", EndSignInView.as_view(), name="end-sign-in"),
    path("accounts/security/code/", mfa.authenticate, name="mfa_authenticate"),
    path("accounts/security/confirm/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("accounts/security/app/add/", factors.AddTOTPView.as_view(), name="mfa_activate_totp"),
    path("accounts/security/app/remove/", factors.RemoveTOTPView.as_view(), name="mfa_deactivate_totp"),
    path("accounts/security/recovery-codes/", view_recovery_codes, name="mfa_view_recovery_codes"),
    path(
        "accounts/security/recovery-codes/new/",
        factors.NewRecoveryCodesView.as_view(),
        name="mfa_generate_recovery_codes",
    ),
    path("accounts/security/passkeys/", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("accounts/security/passkeys/add/", factors.AddPasskeyView.as_view(), name="mfa_add_webauthn"),
    path(
        "accounts/security/passkeys/confirm/", factors.ConfirmPasskeyView.as_view(), name="mfa_reauthenticate_webauthn"
    ),
    path("accounts/security/passkeys/<int:pk>/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path(
        "accounts/security/passkeys/<int:pk>/remove/", factors.RemovePasskeyView.as_view(), name="mfa_remove_webauthn"
    ),
    path("accounts/login/passkey/", factors.PasskeyLoginView.as_view(), name="mfa_login_webauthn"),
    path("accounts/password/change/", allauth.password_change, name="account_change_password"),
    path(
        "accounts/password/set/",
        RedirectView.as_view(pattern_name="account_reset_password"),
        name="account_set_password",
    ),
    path("accounts/password/reset/", views.PasswordResetView.as_view(), name="account_reset_password"),
    path("accounts/password/reset/done/", allauth.password_reset_done, name="account_reset_password_done"),
    path(
        "accounts/password/reset/key/done/",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]

ENDPOINT = f"{ORGANIZATION}webhooks/<str:endpoint>/"
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

audit = [
    path(f"{ORGANIZATION}events/", events.EventsView.as_view(), name="events"),
    path(f"{ORGANIZATION}events/export/", events.ExportView.as_view(), name="events-export"),
    path(f"{ORGANIZATION}events/<str:event>/", events.EventView.as_view(), name="event"),
]

own_data = [
    path(f"{ORGANIZATION}exports/", exports.ExportsView.as_view(), name="exports"),
    path(f"{ORGANIZATION}exports/<uuid:export>/", exports.DownloadView.as_view(), name="export-download"),
    path("accounts/exports/", exports.OwnExportsView.as_view(), name="my-exports"),
    path("accounts/exports/<uuid:export>/", exports.OwnDownloadView.as_view(), name="my-export-download"),
]

urlpatterns = [
    *doors,
    *audit,
    *own_data,
    *webhooks,
    path("", views.HomeView.as_view(), name="home"),
    path("organizations/", views.OrganizationsView.as_view(), name="organizations"),
    path("invitations/accept", AcceptInvitationView.as_view(), name="accept-invitation"),
    path("visits/end/", EndVisitView.as_view(), name="end-visit"),
    path("theme/", views.ThemeView.as_view(), name="theme"),
    path("profile/", views.ProfileView.as_view(), name="profile"),
    path(f"{ORGANIZATION}switch/", views.SwitchView.as_view(), name="switch"),
]
