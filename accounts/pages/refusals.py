"""The page of a refusal that belongs to no form."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts.lib.languages import sentence
from accounts.lib.problems import Problem


def refused(request: HttpRequest, problem: Problem) -> HttpResponse:
    context = {"status": problem.status, "title": gettext("Not possible"), "detail": sentence(problem)}
    page = render(request, "error.html", context, status=problem.status)
    for name, value in problem.headers.items():
        page[name] = value
    return page
