from django.contrib.postgres.fields import ArrayField
from django.db import models


class RateCount(models.Model):
    """The calls of a subject of a rate limit: moments (seconds since 1970), oldest first, and the number of calls at
    each.

    `subject` is the limit's policy and whom it counts, such as `key:` and the id of the key, or `address:` and an IP
    address. The table is unlogged: a crash empties it, and counting starts again.
    """

    subject = models.CharField(primary_key=True, max_length=100)
    moments = ArrayField(models.FloatField())
    calls = ArrayField(models.IntegerField())

    def __str__(self) -> str:
        return self.subject
