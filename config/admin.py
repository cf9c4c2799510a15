"""The admin site of the company's operators."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import include, path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import second_factors
from accounts.models import User


class OperatorSite(AdminSite):
    site_header = site_title = "Tollgate"
    index_title = gettext_lazy("Operations")
    enable_nav_sidebar = False  # the lists need the width for their columns of money

    def __init__(self, name: str = "admin") -> None:
        """Removes the action that deletes many rows at once: history and money refer to nearly all of them."""
        super().__init__(name)
        self.disable_action("delete_selected")

    def get_urls(self) -> list[Any]:
        """Adds the operators' home, search and customers, which combine all apps."""
        return [path("", include("usage.admin.urls")), *super().get_urls()]

    def has_permission(self, request: HttpRequest) -> bool:
        """An operator's session needs a second factor, whatever the policies of organizations say."""
        if not super().has_permission(request) or not isinstance(request.user, User):
            return False
        return not settings.OPERATOR_SECOND_FACTOR or second_factors.was_used(request, request.user)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sends people to our own sign-in page, and operators to their second factor, or to adding one."""
        user, here = request.user, request.GET.get("next") or reverse("admin:index")
        if not isinstance(user, User):
            return redirect_to_login(here)
        if not user.is_staff:
            raise PermissionDenied
        if self.has_permission(request):
            return redirect("admin:index")
        if not second_factors.is_enrolled(user):
            messages.info(request, _("Operators need a second factor. Add one to go on to the administration."))
            return redirect("mfa_index")
        return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': here})}")

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:  # type: ignore[override]
        """Our own page counts wrong passwords; the admin's does not."""
        return redirect("account_change_password")
