"""The organization's plan, the plans on offer, and what a change costs today."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext

from accounts import events
from accounts.lib.languages import sentence
from accounts.lib.problems import InvalidField, Problem
from accounts.pages.organizations import OrganizationMixin
from billing import accounts, balance, clock
from billing.invoicing import changes, renewals, subscriptions
from billing.invoicing.changes import Quote
from billing.models import Interval, Plan, Subscription

Result = TypeVar("Result")


class ChoiceForm(forms.Form):
    plan = forms.SlugField(widget=forms.HiddenInput)
    interval = forms.ChoiceField(choices=Interval.choices, widget=forms.HiddenInput)


@dataclass(frozen=True)
class Offer:
    """A plan on offer, with what it means to take it by each interval."""

    plan: Plan
    quotes: list[Quote]
    is_current: bool


class PlanMixin(OrganizationMixin):
    section = "plan"

    def back(self) -> HttpResponse:
        return redirect("billing:plan", self.organization.public_id)

    def attempt(self, verb: Callable[[], Result], message: Callable[[Result], str]) -> HttpResponse:
        """Run a verb, and show the message about its result."""
        try:
            messages.success(self.request, message(verb()))
        except Problem as problem:
            messages.error(self.request, sentence(problem))
        return self.back()


class PlanView(PlanMixin):
    scopes = {"get": "billing:read"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if not self.organization.is_root:
            return render(request, "billing/billed_by_root.html", self.get_context_data(title=gettext("Plan")))
        now, account = clock.now(self.organization), accounts.find(self.organization)
        subscription = subscriptions.live(self.organization)
        context = self.get_context_data(
            account=account,
            subscription=subscription,
            offers=_offers(self, subscription) if account else [],
            balance=balance.of(self.organization, now),
            moved_to=now if clock.is_moved(self.organization) else None,
        )
        return render(request, "billing/plan.html", context)


class ChangePlanView(PlanMixin):
    """Shows what a change costs today; sent again, makes the change."""

    scopes = {"get": "billing:write", "post": "billing:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = ChoiceForm(request.GET)
        if not form.is_valid():
            return self.back()
        now = clock.now(self.organization)
        try:
            plan, interval = form.cleaned_data["plan"], form.cleaned_data["interval"]
            quote = changes.quote(self.organization, plan, interval, now)
        except Problem as problem:
            messages.error(request, sentence(problem))
            return self.back()
        available = balance.of(self.organization, now)
        context = self.get_context_data(form=ChoiceForm(initial=form.cleaned_data), quote=quote, balance=available)
        return render(request, "billing/change_plan.html", context)

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = ChoiceForm(request.POST)
        if not form.is_valid():
            return self.back()
        now, plan, interval = clock.now(self.organization), form.cleaned_data["plan"], form.cleaned_data["interval"]
        if before := subscriptions.live(self.organization):
            by = events.actor_of(self.credential)
            change = partial(changes.change, self.organization, plan, interval, now=now, actor=by)
            return self.attempt(change, partial(_changed, before))
        take = partial(subscriptions.subscribe, self.organization, plan, interval=interval, now=now)
        return self.attempt(take, lambda _: gettext("You are on the new plan."))


class CancelPlanView(PlanMixin):
    scopes = {"post": "billing:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        now, by = clock.now(self.organization), events.actor_of(self.credential)
        return self.attempt(partial(changes.cancel, self.organization, now=now, actor=by), _canceled)


class ResumePlanView(PlanMixin):
    scopes = {"post": "billing:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        now, by = clock.now(self.organization), events.actor_of(self.credential)
        resume = partial(changes.resume, self.organization, now=now, actor=by)
        return self.attempt(resume, lambda _: gettext("The plan continues."))


class RetryPlanView(PlanMixin):
    scopes = {"post": "billing:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        now = clock.now(self.organization)
        return self.attempt(partial(renewals.retry, self.organization, now), lambda _: gettext("We tried again."))


def _changed(before: Subscription, after: Subscription) -> str:
    if after.next_plan:
        facts = {"plan": after.next_plan.name, "day": date_format(after.current_period_end)}
        return gettext("From %(day)s on, your plan is %(plan)s.") % facts
    if _is_held(before, after.plan, after.interval):
        return gettext("The plan continues.")
    return gettext("Your plan is changed.")


def _canceled(subscription: Subscription) -> str:
    if subscription.status == Subscription.Status.CANCELED:
        return gettext("Your plan has ended.")
    return gettext("The plan ends with its period.")


def _offers(view: PlanMixin, subscription: Subscription | None) -> list[Offer]:
    now, offers = clock.now(view.organization), []
    for plan in Plan.objects.filter(is_offered=True).prefetch_related("allowances__meter"):
        quotes = []
        for interval in Interval.values:
            if subscription and subscription.next_plan is None and _is_held(subscription, plan, interval):
                continue
            try:
                quotes.append(changes.quote(view.organization, plan.slug, interval, now))
            except InvalidField:  # The plan has no price for this interval in the account's currency.
                continue
        is_current = subscription is not None and subscription.plan.slug == plan.slug
        if not any(quote.price for quote in quotes):  # It costs nothing, by the month and by the year.
            quotes = [] if is_current else quotes[:1]
        if quotes or is_current:
            offers.append(Offer(plan, quotes, is_current))
    return offers


def _is_held(subscription: Subscription, plan: Plan, interval: str) -> bool:
    return (subscription.plan.slug, subscription.interval) == (plan.slug, interval)
