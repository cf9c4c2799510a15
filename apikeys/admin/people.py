from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import erasure
from accounts.admin.people import UserAdmin as AccountsUserAdmin
from accounts.lib.languages import translated
from accounts.lib.problems import Conflict
from accounts.models import User
from apikeys import departures
from apikeys.models import ApiKey

admin.site.unregister(User)


@admin.register(User)
class UserAdmin(AccountsUserAdmin):
    """Erasing a person is here, because they leave API keys behind."""

    actions = [*AccountsUserAdmin.actions, "erase"]

    @admin.action(description="Erase the selected people", permissions=["change"])
    def erase(self, request: HttpRequest, chosen: QuerySet[User]) -> HttpResponse | None:
        """Runs after a page that says what will be lost. Unlike the person's own request, it happens at once."""
        people = self._editable(request, chosen)
        if "confirmed" not in request.POST:
            made = ApiKey.objects.unrevoked()
            rows = [(user, made.filter(created_by=user).count(), erasure.owned_alone(user)) for user in people]
            context = {"title": _("Erase people"), "chosen": rows, "opts": self.opts}
            return render(request, "admin/apikeys/erase.html", {**self.admin_site.each_context(request), **context})
        for user in people:
            try:
                departures.erase(user, timezone.now())
                user.refresh_from_db()
                self.note(request, user, "user.erased")
            except Conflict as error:
                self.message_user(request, f"{user}: {translated(str(error))}", messages.WARNING)
        return None
