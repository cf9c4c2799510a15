"""The admin site of the company's operators."""

from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect


class OperatorSite(AdminSite):
    site_header = site_title = "Tollgate"
    index_title = "Operations"

    def __init__(self, name: str = "admin") -> None:
        """Without the action that deletes many rows at once: history and money refer to nearly all of them."""
        super().__init__(name)
        self.disable_action("delete_selected")

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sends people to our own sign-in page. The admin's own form knows nothing of the limits of sign-in."""
        answer: HttpResponse = secure_admin_login(super().login)(request, extra_context)
        return answer

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponseBase:  # type: ignore[override]
        """Our own page counts wrong passwords; the admin's does not."""
        return redirect("account_change_password")
