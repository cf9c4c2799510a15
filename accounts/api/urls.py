from django.urls import path
from rest_framework.routers import SimpleRouter

from accounts.api import events, exports, invitations, jwks, security, sessions, signup, tokens, webhooks, whoami

router = SimpleRouter(trailing_slash=False)
router.register("v1/invitations", invitations.InvitationViewSet)
router.register("v1/webhook-endpoints", webhooks.WebhookEndpointViewSet)
router.register("v1/webhook-deliveries", webhooks.DeliveryViewSet)
router.register("v1/events", events.EventViewSet)
router.register("v1/exports", exports.ExportViewSet)
router.register("v1/me/exports", exports.OwnExportViewSet, basename="own-export")
router.register("v1/me/sessions", sessions.SessionViewSet, basename="session")

urlpatterns = [
    path(".well-known/jwks.json", jwks.JwksView.as_view()),
    path(".well-known/seal-keys.json", jwks.SealKeysView.as_view()),
    path("v1/auth/signup", signup.SignUpView.as_view()),
    path("v1/auth/verify", signup.VerifyView.as_view()),
    path("v1/auth/token", tokens.TokenView.as_view()),
    path("v1/auth/token/refresh", tokens.RefreshView.as_view()),
    path("v1/auth/token/revoke", tokens.RevokeView.as_view()),
    path("v1/auth/switch", tokens.SwitchView.as_view()),
    path("v1/whoami", whoami.WhoAmIView.as_view()),
    path("v1/account/security", security.SecurityView.as_view()),
    path("v1/invitations/accept", invitations.AcceptView.as_view()),
    *router.urls,
]
