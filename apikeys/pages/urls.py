from django.urls import path

from accounts.pages.paths import ORGANIZATION
from apikeys.pages import changes, people, policies, service_accounts, views
from apikeys.pages.paths import KEY

app_name = "apikeys"

urlpatterns = [
    path(f"{ORGANIZATION}keys/", views.KeysView.as_view(), name="keys"),
    path(f"{ORGANIZATION}keys/new/", views.CreateKeyView.as_view(), name="create"),
    path(f"{ORGANIZATION}keys/{KEY}edit/", changes.EditKeyView.as_view(), name="edit"),
    path(f"{ORGANIZATION}keys/{KEY}enable/", changes.EnableKeyView.as_view(), name="enable"),
    path(f"{ORGANIZATION}keys/{KEY}rotate/", changes.RotateKeyView.as_view(), name="rotate"),
    path(f"{ORGANIZATION}security/", policies.PolicyView.as_view(), name="policy"),
    path(
        f"{ORGANIZATION}people/service-accounts/",
        service_accounts.ServiceAccountsView.as_view(),
        name="service-accounts",
    ),
    path(
        f"{ORGANIZATION}people/service-accounts/<uuid:account>/remove/",
        service_accounts.RemoveServiceAccountView.as_view(),
        name="remove-service-account",
    ),
    path(f"{ORGANIZATION}people/", people.PeopleView.as_view(), name="people"),
    path(f"{ORGANIZATION}people/<int:member>/role/", people.RoleView.as_view(), name="role"),
    path(f"{ORGANIZATION}people/<int:member>/remove/", people.RemoveView.as_view(), name="remove"),
    path(
        f"{ORGANIZATION}people/invitations/<uuid:invitation>/resend/",
        people.ResendView.as_view(),
        name="resend-invitation",
    ),
    path(
        f"{ORGANIZATION}people/invitations/<uuid:invitation>/revoke/",
        people.RevokeInvitationView.as_view(),
        name="revoke-invitation",
    ),
]
