from rest_framework.routers import SimpleRouter

from apikeys.api import viewsets

router = SimpleRouter(trailing_slash=False)
router.register("v1/account/api-keys", viewsets.ApiKeyViewSet)

urlpatterns = router.urls
