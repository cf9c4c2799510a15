"""Reads the environment. A start fails here if a variable is missing, wrong or insecure."""

from django.core.exceptions import ImproperlyConfigured

from config import brokers, sign_in
from config.env import BASE_DIR as BASE_DIR
from config.env import STATE_DIR as STATE_DIR
from config.env import Env, is_weak
from config.local import servers

env = Env()

PRODUCTION = env.production
DEBUG = env.boolean("DEBUG", default=False)
SECRET_KEY = env.secret("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("SECRET_KEY_FALLBACKS", default=[])
API_KEY_PEPPERS = env.peppers("API_KEY_PEPPERS")

# Where Tollgate is reached, and how its web processes answer.
BASE_URL = env.required("BASE_URL", lambda: "http://localhost:8000").rstrip("/")
ALLOWED_HOSTS = env.required("ALLOWED_HOSTS", lambda: "127.0.0.1,localhost,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [BASE_URL] if PRODUCTION else []
TRUSTED_PROXIES = env.integer("TRUSTED_PROXIES", default=0)
SECURE_SSL_REDIRECT = env.boolean("SECURE_SSL_REDIRECT", default=PRODUCTION)
WEB_THREADS = env.integer("WEB_THREADS", default=4)
METRICS_TOKEN = env.text("METRICS_TOKEN", default="")
METRICS_FOLDER = env.text("PROMETHEUS_MULTIPROC_DIR", default="")
REQUEST_TIMEOUT_SECONDS = env.integer("REQUEST_TIMEOUT_SECONDS", default=5)
# Longer than proxies keep idle connections (nginx and most load balancers: 60 s), or they would reuse closed ones.
KEEP_ALIVE_SECONDS = env.integer("KEEP_ALIVE_SECONDS", default=75)
SEND_TIMEOUT_SECONDS = env.integer("SEND_TIMEOUT_SECONDS", default=30)
STATIC_ROOT = env.path("STATIC_ROOT", default=STATE_DIR / "static") if PRODUCTION else None

# People, and what anonymous callers may do.
BREACHED_PASSWORDS = env.text("BREACHED_PASSWORDS", default="")
EMAIL_VERIFICATION = env.boolean("EMAIL_VERIFICATION", default=PRODUCTION)
REFRESH_GRACE_SECONDS = env.integer("REFRESH_GRACE_SECONDS", default=10)
OPERATOR_SECOND_FACTOR = env.boolean("OPERATOR_SECOND_FACTOR", default=True)
ANONYMOUS_RATE_LIMIT = env.integer("ANONYMOUS_RATE_LIMIT", default=60)
SIGN_IN_PROVIDERS = sign_in.providers(env)
SIGN_IN_ALLOWED_NETWORKS = env.networks("SIGN_IN_ALLOWED_NETWORKS")
WEBHOOK_ALLOWED_NETWORKS = env.networks("WEBHOOK_ALLOWED_NETWORKS")

# How long rows are kept.
USAGE_RETENTION_MONTHS = env.integer("USAGE_RETENTION_MONTHS", default=0)
if USAGE_RETENTION_MONTHS not in (0, *range(2, 1201)):  # with one month, ids would count twice within 35 days
    raise ImproperlyConfigured(f"USAGE_RETENTION_MONTHS is {USAGE_RETENTION_MONTHS}: say 0 for none, or 2 to 1200.")
EVENTS_RETENTION_DAYS = env.integer("EVENTS_RETENTION_DAYS", default=400)
if EVENTS_RETENTION_DAYS not in (0, *range(60, 36_501)):  # deliveries of 30 days name their events
    raise ImproperlyConfigured(f"EVENTS_RETENTION_DAYS is {EVENTS_RETENTION_DAYS}: say 0 for ever, or 60 to 36500.")

# Servers: PostgreSQL, Redis, the broker of tasks, email.
DATABASE_URL = env.required("DATABASE_URL", servers.database_url)
DATABASE_OWNER_URL = env.text("DATABASE_OWNER_URL", default="")
DATABASE_REPLICA_URL = env.text("DATABASE_REPLICA_URL", default="")
DATABASE_FAILOVER = env.boolean("DATABASE_FAILOVER", default=False)
DATABASE_REPLICA_LAG_SECONDS = env.integer("DATABASE_REPLICA_LAG_SECONDS", default=10)
# A request that takes longer was answered with 503 already. Tasks may take long; commands as long as they like.
STATEMENT_SECONDS = {
    "web": env.integer("DATABASE_STATEMENT_TIMEOUT_SECONDS", default=REQUEST_TIMEOUT_SECONDS),
    "worker": env.integer("DATABASE_TASK_TIMEOUT_SECONDS", default=600),
}
PREPARE = env.boolean("DATABASE_PREPARED_STATEMENTS", default=True)
REDIS_URL = env.required("REDIS_URL", servers.redis_url)
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", default=brokers.of_redis(REDIS_URL))
EMAIL_URL = env.required("EMAIL_URL", lambda: "consolemail://")
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", default="Tollgate <no-reply@localhost>")
OPERATOR_EMAIL = env.text("OPERATOR_EMAIL", default="")

# Payments, plans and papers.
PAYMENT_GATEWAY = env.required("PAYMENT_GATEWAY", lambda: "sandbox")
if PAYMENT_GATEWAY not in ("", "sandbox", "stripe"):
    raise ImproperlyConfigured(f"PAYMENT_GATEWAY is {PAYMENT_GATEWAY!r}: say sandbox or stripe.")
STRIPE_SECRET_KEY = env.stripe_key("STRIPE_SECRET_KEY") if PAYMENT_GATEWAY == "stripe" else ""
STRIPE_WEBHOOK_SECRETS = env.words("STRIPE_WEBHOOK_SECRETS", default=[])
STRIPE_API_BASE = env.text("STRIPE_API_BASE", default="https://api.stripe.com").rstrip("/")
OPERATOR_APPROVAL_LIMIT = env.amount_or_none("OPERATOR_APPROVAL_LIMIT", default="100")
RECHARGE_COOLDOWN_SECONDS = env.integer("RECHARGE_COOLDOWN_SECONDS", default=600)
FALLBACK_PLAN = env.text("FALLBACK_PLAN", default="")
TRIAL_ENDS_WITHOUT_CARD = env.text("TRIAL_ENDS_WITHOUT_CARD", default="canceled")
if TRIAL_ENDS_WITHOUT_CARD not in ("canceled", "past_due"):
    raise ImproperlyConfigured(f"TRIAL_ENDS_WITHOUT_CARD is {TRIAL_ENDS_WITHOUT_CARD!r}: say canceled or past_due.")
SELLER = {
    "code": env.text("SELLER_CODE", default="main"),
    "name": env.text("SELLER_NAME", default="Tollgate"),
    "line1": env.text("SELLER_LINE1", default=""),
    "line2": env.text("SELLER_LINE2", default=""),
    "postal_code": env.text("SELLER_POSTAL_CODE", default=""),
    "city": env.text("SELLER_CITY", default=""),
    "state": env.text("SELLER_STATE", default=""),
    "country": env.text("SELLER_COUNTRY", default="").upper(),
    "vat_id": env.text("SELLER_VAT_ID", default=""),
    "tax_number": env.text("SELLER_TAX_NUMBER", default=""),
    "email": env.text("SELLER_EMAIL", default=""),
    "note": env.text("SELLER_NOTE", default=""),
    "timezone": env.text("SELLER_TIMEZONE", default="UTC"),
}
# Accounts of the company's books, by kind of ledger entry: the other side of the customers' credits in the journal.
FINANCE_ACCOUNTS = env.mapping(
    "FINANCE_ACCOUNTS",
    default={
        "credits": "customer credits",
        "purchase": "receivables",
        "grant": "promotions",
        "usage": "revenue",
        "capture": "revenue",
        "subscription": "revenue",
        "refund": "receivables",
        "chargeback": "receivables",
        "expiry": "breakage",
        "reversal": "corrections",
        "adjustment": "corrections",
        "import": "opening balances",
        "rounding": "rounding",
        "tax": "tax",
    },
)
INVOICE_PREFIXES = {
    "invoice": env.text("INVOICE_PREFIX", default="INV"),
    "credit_note": env.text("CREDIT_NOTE_PREFIX", default="CN"),
}
INVOICE_DUE_DAYS = env.integer("INVOICE_DUE_DAYS", default=0)
INVOICE_FONTS = env.text("INVOICE_FONTS", default="")
VAT_ID_REGISTER = env.text("VAT_ID_REGISTER", default="")
TAX_PROVIDER = env.text("TAX_PROVIDER", default="billing.invoicing.tax.by_table")

env.refuse(is_weak(SECRET_KEY), "SECRET_KEY is weak: take at least 32 random characters.")
env.refuse(DEBUG, "DEBUG is on: it shows settings and code to anyone.")
env.refuse(not BASE_URL.startswith("https://"), "BASE_URL doesn't start with https://.")
env.refuse(PAYMENT_GATEWAY == "sandbox", "PAYMENT_GATEWAY is sandbox: anyone could buy credits without money.")
env.refuse("_test_" in STRIPE_SECRET_KEY[:8], "STRIPE_SECRET_KEY is a key of Stripe's sandbox: take a live one.")
env.refuse(not OPERATOR_SECOND_FACTOR, "OPERATOR_SECOND_FACTOR is off: a password alone would open the admin.")
env.check()
