from rest_framework.routers import SimpleRouter

from apikeys.api import api_keys, members, service_accounts

router = SimpleRouter(trailing_slash=False)
router.register("v1/account/api-keys", api_keys.ApiKeyViewSet)
router.register("v1/service-accounts", service_accounts.ServiceAccountViewSet)
router.register("v1/members", members.RemovableMemberViewSet)

urlpatterns = router.urls
