"""A page of allauth's that concerns API keys too, under the name that allauth gives it."""

from django.urls import re_path

from apikeys.pages.password_reset import NewPasswordView

urlpatterns = [
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        NewPasswordView.as_view(),
        name="account_reset_password_from_key",
    ),
]
