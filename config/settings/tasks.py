"""Celery: how it connects, its queues, and what runs when."""

from celery.schedules import crontab
from kombu import Queue

from config import brokers, databases
from config.settings.environment import CELERY_BROKER_URL

CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = brokers.transport_options(
    CELERY_BROKER_URL,
    seconds=1 if databases.process() == "web" else 5,  # a request waits for it
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Sending webhooks waits for other people's servers, so it has a queue of its own. A worker without --queues does both.
CELERY_TASK_QUEUES = [Queue(name, routing_key=name) for name in ("celery", "webhooks")]
CELERY_TASK_ROUTES = {"accounts.tasks.deliver_webhooks": {"queue": "webhooks", "routing_key": "webhooks"}}
CELERY_BEAT_SCHEDULE = {
    "a sign of life": {"task": "usage.tasks.beat", "schedule": 30.0},
    "usage partitions ahead": {"task": "usage.tasks.make_partitions", "schedule": crontab(minute=7)},
    # Months of all time zones end on quarters of an hour. Usage that was underway then is given five minutes.
    "months that have ended": {"task": "usage.tasks.close_months", "schedule": crontab(minute="5,20,35,50")},
    "finance package of the last month": {"task": "usage.tasks.make_finance_package", "schedule": crontab(minute=13)},
    "usage past its retention": {"task": "usage.tasks.retire_partitions", "schedule": crontab(minute=37)},
    "daily proof of the books": {"task": "usage.tasks.prove_ledger", "schedule": crontab(minute=29)},
    "accounts of which something is due": {"task": "billing.tasks.expire_due_credits", "schedule": 60.0},
    "alerts without a posting": {"task": "billing.tasks.sweep_alerts", "schedule": 60.0},
    "accounts to recharge": {"task": "billing.tasks.recharge_accounts", "schedule": 10.0},
    "clocks that were moved ahead": {"task": "usage.tasks.run_moved_clocks", "schedule": 10.0},
    "subscriptions to renew": {"task": "billing.tasks.renew_subscriptions", "schedule": 60.0},
    "requests of operators that nobody decided": {
        "task": "billing.tasks.expire_change_requests",
        "schedule": crontab(minute=13),
    },
    "refunds left pending": {"task": "billing.tasks.settle_pending_refunds", "schedule": 60.0},
    "VAT ids not checked": {"task": "billing.tasks.check_vat_ids", "schedule": 60.0},
    "papers without a document": {"task": "billing.tasks.make_documents", "schedule": 30.0},
    "invoices to collect": {"task": "billing.tasks.collect_invoices", "schedule": 60.0},
    "payments left pending": {"task": "billing.tasks.settle_pending_payments", "schedule": 60.0},
    "events of the payment gateway": {"task": "billing.tasks.poll_gateway_events", "schedule": 60.0},
    "events not handled": {"task": "billing.tasks.handle_gateway_events", "schedule": 10.0},
    "comparison with the payment gateway": {"task": "billing.tasks.compare_gateway", "schedule": crontab(minute=23)},
    "cards that expire": {"task": "billing.tasks.announce_expiring_cards", "schedule": crontab(minute=53)},
    "idempotency records past": {
        "task": "accounts.tasks.purge_idempotency_records",
        "schedule": crontab(minute=17),
    },
    "events not published": {"task": "accounts.tasks.publish_events", "schedule": 5.0},
    "seals of the events": {"task": "accounts.tasks.announce_seals", "schedule": crontab(hour=0, minute=11)},
    "ledger entries not sealed": {"task": "billing.tasks.seal_ledgers", "schedule": 30.0},
    "ledgers not sealed": {"task": "billing.tasks.seal_all_ledgers", "schedule": crontab(minute=43)},
    "seals of the ledgers": {"task": "billing.tasks.announce_ledger_seals", "schedule": crontab(hour=0, minute=13)},
    "exports to make": {"task": "accounts.tasks.make_exports", "schedule": 30.0},
    "exports past their week": {"task": "accounts.tasks.purge_exports", "schedule": crontab(minute=33)},
    "people to erase": {"task": "apikeys.tasks.erase_people", "schedule": crontab(minute=3)},
    "closed organizations to forget": {"task": "accounts.tasks.forget_organizations", "schedule": crontab(minute=13)},
    "webhooks not delivered": {"task": "accounts.tasks.deliver_webhooks", "schedule": 5.0},
    "webhooks to send again": {"task": "accounts.tasks.redeliver_webhooks", "schedule": 60.0},
    "deliveries past their log": {"task": "accounts.tasks.purge_deliveries", "schedule": crontab(minute=57)},
    "emails not sent": {"task": "accounts.tasks.send_emails", "schedule": 10.0},
    "codes past their time": {"task": "accounts.tasks.purge_email_codes", "schedule": crontab(minute=47)},
    "failed sign-ins past their day": {"task": "accounts.tasks.purge_sign_in_failures", "schedule": crontab(minute=47)},
    "token families past their life": {"task": "accounts.tasks.purge_token_families", "schedule": crontab(minute=27)},
    "rate limits of who stopped calling": {"task": "apikeys.tasks.purge_rate_counts", "schedule": crontab(minute=47)},
}
