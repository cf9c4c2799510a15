from rest_framework.routers import SimpleRouter

from apikeys.api import api_keys

router = SimpleRouter(trailing_slash=False)
router.register("v1/account/api-keys", api_keys.ApiKeyViewSet)

urlpatterns = router.urls
