from django.urls import path

from accounts.pages import views
from accounts.pages.invitations import AcceptInvitationView
from accounts.pages.paths import ORGANIZATION

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("organizations/", views.OrganizationsView.as_view(), name="organizations"),
    path("invitations/accept", AcceptInvitationView.as_view(), name="accept-invitation"),
    path("profile/", views.ProfileView.as_view(), name="profile"),
    path(f"{ORGANIZATION}switch/", views.SwitchView.as_view(), name="switch"),
]
