"""Pages of a person's account that concern API keys too."""

from django.urls import path, re_path

from apikeys.pages.email_undo import UndoEmailView
from apikeys.pages.leaving import DeleteAccountView, KeepAccountView
from apikeys.pages.password_reset import NewPasswordView

urlpatterns = [
    path("accounts/email/undo/", UndoEmailView.as_view(), name="undo-email-change"),
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        NewPasswordView.as_view(),
        name="account_reset_password_from_key",
    ),
    path("accounts/delete/", DeleteAccountView.as_view(), name="delete-account"),
    path("accounts/keep/", KeepAccountView.as_view(), name="keep-account"),
]
