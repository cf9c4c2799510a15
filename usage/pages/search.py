from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.pages.organizations import OrganizationMixin
from usage.reporting import search


class SearchView(OrganizationMixin):
    """Goes to the page of the object that was found; lists the pages if there are several."""

    scopes = {"get": "account:read"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        text = request.GET.get("q", "")
        hits = search.find(self.organization, self.credential.scopes, text)
        if len(hits) == 1:
            return redirect(hits[0].page)
        return render(request, "usage/search.html", self.get_context_data(hits=hits, q=text.strip()))
