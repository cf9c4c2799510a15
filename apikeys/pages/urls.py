from django.urls import path

from accounts.pages.paths import ORGANIZATION
from apikeys.pages import views

app_name = "apikeys"

urlpatterns = [
    path(f"{ORGANIZATION}keys/", views.KeysView.as_view(), name="keys"),
    path(f"{ORGANIZATION}keys/new/", views.CreateKeyView.as_view(), name="create"),
]
