from django.urls import path

from accounts.pages.paths import ORGANIZATION
from apikeys.pages import changes, views
from apikeys.pages.paths import KEY

app_name = "apikeys"

urlpatterns = [
    path(f"{ORGANIZATION}keys/", views.KeysView.as_view(), name="keys"),
    path(f"{ORGANIZATION}keys/new/", views.CreateKeyView.as_view(), name="create"),
    path(f"{ORGANIZATION}keys/{KEY}edit/", changes.EditKeyView.as_view(), name="edit"),
    path(f"{ORGANIZATION}keys/{KEY}enable/", changes.EnableKeyView.as_view(), name="enable"),
    path(f"{ORGANIZATION}keys/{KEY}rotate/", changes.RotateKeyView.as_view(), name="rotate"),
]
