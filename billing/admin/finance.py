from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html

from accounts.admin import ReadOnlyAdmin
from accounts.admin.exporting import PERMISSION
from accounts.lib.attachments import archive
from billing.finance import package
from billing.models import FinancePackage


@admin.register(FinancePackage)
class FinancePackageAdmin(ReadOnlyAdmin[FinancePackage]):
    """Those who may export rows download a month's package. Each download is an event of the company's."""

    list_display = ["__str__", "made_at", "size", "file"]
    ordering = ["-month"]
    fields = ("month", "made_at", "size", "digest", "file")
    readonly_fields = ("month", "made_at", "size", "digest", "file")

    @admin.display(description="SHA-256")
    def digest(self, made: FinancePackage) -> str:
        return bytes(made.sha256).hex()

    @admin.display(description="file")
    def file(self, made: FinancePackage) -> str:
        return format_html('<a href="{}">Download</a>', reverse("admin:finance-package-download", args=[made.pk]))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.download)
        return [path("<int:pk>/download/", view, name="finance-package-download"), *super().get_urls()]

    def download(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        made = get_object_or_404(FinancePackage, pk=pk)
        if not (self.has_view_permission(request, made) and request.user.has_perm(PERMISSION)):
            raise PermissionDenied
        self.note(request, made, "downloaded")
        return archive(made.size, package.download(made, timezone.now()), f"finance-{made}")
