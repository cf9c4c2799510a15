from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api import events, invitations, members, organizations, security, viewsets

router = SimpleRouter(trailing_slash=False)
router.register("v1/organizations", organizations.OrganizationViewSet)
router.register("v1/members", members.MemberViewSet)
router.register("v1/invitations", invitations.InvitationViewSet)
router.register("v1/events", events.EventViewSet)

urlpatterns = [
    path(".well-known/jwks.json", viewsets.JwksView.as_view()),
    path("v1/auth/signup", viewsets.SignUpView.as_view()),
    path("v1/auth/token", viewsets.TokenView.as_view()),
    path("v1/auth/token/refresh", viewsets.RefreshView.as_view()),
    path("v1/auth/token/revoke", viewsets.RevokeView.as_view()),
    path("v1/auth/switch", viewsets.SwitchView.as_view()),
    path("v1/whoami", viewsets.WhoAmIView.as_view()),
    path("v1/account/security", security.SecurityView.as_view()),
    path("v1/invitations/accept", invitations.AcceptView.as_view()),
    *router.urls,
]
