"""The ledger as a statement: the usage of each day as one line, which leads to its entries; also as PDF and CSV."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts.lib import spreadsheets
from accounts.pages.organizations import OrganizationMixin
from billing import clock
from billing.pages.ledger import LedgerForm
from billing.templatetags.money import places
from usage.reporting import periods, statement, statement_pdf
from usage.reporting.statement import Statement

COLUMNS = ("date", "kind", "entries", "entry", "description", "amount", "balance_after")


class StatementView(OrganizationMixin):
    """From the opening to the closing balance of a period: this month by default."""

    scopes = {"get": "credits:read"}
    section = "ledger"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if not self.organization.is_root:
            return render(request, "billing/billed_by_root.html", self.get_context_data(title=gettext("Ledger")))
        form = LedgerForm(request.GET, zone=self.person.timezone)
        now = clock.now(self.organization)
        form.is_valid()
        start, end = form.span(periods.start_of("monthly", now, self.person.timezone), now)
        try:
            made = statement.of(self.organization, start, min(end, now), self.person.timezone, now)
        except statement.TooLong:
            form.add_error("to", gettext("Take less time: at most 400 days, and 2,000 entries besides usage."))
            return self._page(form, None)
        match request.GET.get("format"):
            case "pdf":
                return document(self.organization.public_id, statement_pdf.pdf(self.organization, made), "pdf")
            case "csv":
                return document(self.organization.public_id, table(made), "csv")
        return self._page(form, made)

    def _page(self, form: LedgerForm, made: Statement | None) -> HttpResponse:
        query = self.request.GET.copy()
        query.pop("format", None)
        context = self.get_context_data(form=form, statement=made, query=query.urlencode())
        if made:
            context["places"] = places([made.opening, *(line.balance for line in made.lines)])
        return render(self.request, "usage/statement.html", context, status=200 if made else 400)


def table(made: Statement) -> bytes:
    rows = [
        (
            line.day.isoformat(),
            line.kind,
            line.count,
            line.entry.seq if line.entry else None,
            line.entry.description if line.entry else "",
            line.amount,
            line.balance,
        )
        for line in made.lines
    ]
    return spreadsheets.csv_of(COLUMNS, rows)


def document(name: str, content: bytes, format: str) -> HttpResponse:
    kind = {"pdf": "application/pdf", "csv": "text/csv; charset=utf-8"}[format]
    disposition = f'attachment; filename="statement-{name}.{format}"'
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": disposition})
