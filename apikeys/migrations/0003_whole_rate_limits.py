"""A key's rate limit has both numbers or none.

The former constraint let half of one through: a comparison with NULL is NULL, and a CHECK takes that for true. Half a
limit limits nothing, so such a key has none from now on.
"""

from django.db import migrations, models
from django.db.models import Q

from accounts.lib import migrating

BOTH_OR_NONE = models.CheckConstraint(
    condition=Q(rate_limit=None, rate_limit_window_seconds=None)
    | Q(
        rate_limit__isnull=False,
        rate_limit_window_seconds__isnull=False,
        rate_limit__gt=0,
        rate_limit_window_seconds__gt=0,
    ),
    name="api_key_rate_limit_whole",
)
MEND = """
UPDATE apikeys_apikey SET rate_limit = NULL, rate_limit_window_seconds = NULL
 WHERE (rate_limit IS NULL) <> (rate_limit_window_seconds IS NULL)
"""

# New rows are checked before the old ones are mended, so that none comes in between.
DROP, ADD, VALIDATE = migrating.add_check("apikey", "apikeys_apikey", BOTH_OR_NONE)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("apikeys", "0002_ipv4_networks")]

    operations = [
        DROP,
        ADD,
        migrations.RunSQL(MEND, migrations.RunSQL.noop),
        VALIDATE,
        *migrating.drop_constraint("apikey", "apikeys_apikey", "api_key_rate_limit_complete"),
    ]
