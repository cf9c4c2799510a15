"""What the gate is compared with: bare Django views behind the same middleware that do one thing in the database."""

import json
import os
from uuid import uuid4

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

TABLES = """
CREATE TABLE bench_key (secret text PRIMARY KEY, name text NOT NULL, status text NOT NULL, created_at timestamptz);
CREATE TABLE bench_hold (id uuid PRIMARY KEY, secret text NOT NULL, amount numeric(24, 9), created_at timestamptz);
"""
SELECT = "SELECT secret, name, status, created_at FROM bench_key WHERE secret = %s"
INSERT = "INSERT INTO bench_hold (id, secret, amount, created_at) VALUES (%s, %s, 0.001, now())"


def pid(request: HttpRequest) -> HttpResponse:
    """The process id of the worker that serves this connection."""
    return HttpResponse(str(os.getpid()))


@csrf_exempt
def select(request: HttpRequest) -> JsonResponse:
    """One SELECT by an indexed column."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT, [json.loads(request.body)["key"]])
        _, name, status, created_at = cursor.fetchone()
    return JsonResponse({"valid": status == "active", "name": name, "created_at": created_at})


@csrf_exempt
def insert(request: HttpRequest) -> JsonResponse:
    """One INSERT and its commit."""
    hold = uuid4()
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [hold, json.loads(request.body)["key"]])
    return JsonResponse({"valid": True, "hold": str(hold)})
