from collections.abc import Iterable
from typing import ClassVar, LiteralString, NamedTuple, Self
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Func, OuterRef, Q, Value
from django.utils.timezone import now

from accounts.lib import identifiers, sql, timezones
from accounts.models.users import User

MAX_DEPTH = 6


# What {user} may do in the organization with this {path}. It is hand-written because every request asks for it.
STANDING: LiteralString = """
    ARRAY(SELECT role FROM accounts_membership WHERE user_id = {user} AND organization_id = ANY({path})),
    NOT EXISTS (SELECT FROM accounts_organization WHERE id = ANY({path}) AND status <> 'active')
"""
OF_ONE = sql.compose(
    "SELECT {standing} FROM accounts_organization AS organization WHERE organization.id = %(organization)s",
    standing=sql.compose(STANDING, user="%(user)s::bigint", path="organization.path"),
)


class Standing(NamedTuple):
    """A person's roles in an organization, and whether neither it nor one above it is suspended or closed."""

    roles: set[str]
    is_operational: bool


class _AnyOf(Func):
    """`element = ANY(array)`"""

    template = "(%(expressions)s))"
    arg_joiner = " = ANY("
    output_field = models.BooleanField()


class OrganizationQuerySet(models.QuerySet["Organization"]):
    def visible_to(self, user: User | int) -> Self:
        """The organizations in which `user` has a role, there or from an ancestor."""
        granted = Membership.objects.filter(user=user).values("organization_id")
        return self.filter(path__overlap=ArraySubquery(granted))

    def within(self, organization: "Organization") -> Self:
        """The organization and all beneath it."""
        return self.filter(path__contains=[organization.pk])

    def operational(self) -> Self:
        """Neither it nor any ancestor is suspended or closed."""
        return self._reached_by_none(Organization.objects.exclude(status=Organization.Status.ACTIVE))

    def unclosed(self) -> Self:
        """Neither it nor any ancestor is closed."""
        return self._reached_by_none(Organization.objects.filter(status=Organization.Status.CLOSED))

    def _reached_by_none(self, stopped: models.QuerySet["Organization"]) -> Self:
        return self.exclude(models.Exists(stopped.filter(_AnyOf(F("pk"), OuterRef("path")))))

    def lock(self, pk: UUID) -> "Organization":
        """The row, locked until the transaction ends. Others can still add rows that refer to it."""
        return self.select_for_update(no_key=True).get(pk=pk)

    def create_root(self, *, name: str, timezone: str = "UTC", external_id: str = "") -> "Organization":
        organization = Organization(name=name, timezone=timezone, external_id=external_id)
        organization.auth_id = identifiers.auth_id(root=True)
        organization.root_id = organization.pk
        organization.path = [organization.pk]
        organization.save(force_insert=True)
        return organization

    def create_child(
        self, parent: "Organization", *, name: str, timezone: str = "", external_id: str = ""
    ) -> "Organization":
        child = Organization(
            name=name,
            timezone=timezone or parent.timezone,
            external_id=external_id,
            auth_id=identifiers.auth_id(root=False),
            parent=parent,
            root_id=parent.root_id,
            clock_ahead=parent.clock_ahead,
        )
        child.path = [*parent.path, child.pk]
        child.save(force_insert=True)
        return child


class Organization(models.Model):
    """A tenant: a node of a tree. The root pays for every node beneath it.

    `path` holds the ids from the root down to the node itself, so that one overlap test answers who may see it.
    `suspended_for` has the reasons of a suspension: it ends when the last of them is lifted.
    """

    class Status(models.TextChoices):
        ACTIVE = "active"
        SUSPENDED = "suspended"
        CLOSED = "closed"

    class Suspension(models.TextChoices):
        MANUAL = "manual"
        UNPAID = "unpaid"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    public_id = models.CharField(max_length=21, unique=True, default=identifiers.organization_id, editable=False)
    auth_id = models.CharField(max_length=20, unique=True, editable=False)
    name = models.CharField(max_length=100)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="children")
    root = models.ForeignKey("self", on_delete=models.PROTECT, related_name="+", editable=False)
    path = ArrayField(models.UUIDField(), editable=False)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.ACTIVE)
    suspended_for = ArrayField(
        models.CharField(max_length=6, choices=Suspension.choices),
        default=list,
        db_default=Value([], ArrayField(models.CharField(max_length=6))),
        blank=True,
        editable=False,
    )
    timezone = models.CharField(max_length=64, default="UTC", validators=[timezones.validate])
    external_id = models.CharField(max_length=100, blank=True, default="", db_default="")  # the company's own
    monthly_budget = models.DecimalField(max_digits=24, decimal_places=9, null=True, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    modified_at = models.DateTimeField(null=True, editable=False)  # of the last change by its own people or its parent
    clock_ahead = models.DurationField(null=True, editable=False)  # its payer's, by `billing.clock`; null: never moved
    closed_at = models.DateTimeField(null=True, editable=False)
    forgotten_at = models.DateTimeField(null=True, editable=False)  # what is personal was erased, some time after that

    objects: ClassVar[OrganizationQuerySet] = OrganizationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        permissions = [("export_rows", "Can export rows of the admin")]
        indexes = [
            GinIndex(fields=["path"], name="organization_path"),
            models.Index(fields=["root"], condition=Q(monthly_budget__isnull=False), name="organization_with_budget"),
            models.Index(
                fields=["closed_at"],
                condition=Q(closed_at__isnull=False, forgotten_at=None),
                name="organization_to_forget",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(path__len__gte=1) & Q(path__len__lte=MAX_DEPTH),
                name="organization_depth",
                violation_error_message=f"Organizations nest at most {MAX_DEPTH} deep.",
            ),
            models.CheckConstraint(condition=Q(path__0=F("root")), name="organization_path_starts_at_root"),
            models.CheckConstraint(
                condition=Q(parent=None, root=F("id")) | (Q(parent__isnull=False) & ~Q(root=F("id"))),
                name="organization_root_has_no_parent",
            ),
            models.CheckConstraint(
                condition=Q(monthly_budget=None) | Q(monthly_budget__gte=0), name="organization_budget_not_negative"
            ),
            models.UniqueConstraint(
                fields=["external_id"], condition=~Q(external_id=""), name="organization_external_id"
            ),
            # What a billing account's foreign key needs, so that only a root can have one.
            models.UniqueConstraint(fields=["id", "root"], name="organization_id_root"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def is_root(self) -> bool:
        return self.parent_id is None

    @property
    def is_operational(self) -> bool:
        return self.standing(None).is_operational

    def roles_of(self, user: User) -> set[str]:
        """The roles that `user` has here, from this node and from its ancestors."""
        return self.standing(user).roles

    def standing(self, user: User | None) -> Standing:
        [(roles, is_operational)] = sql.rows(OF_ONE, {"organization": self.pk, "user": user and user.pk})
        return Standing(set(roles), is_operational)


class MembershipQuerySet(models.QuerySet["Membership"]):
    def reaching(self, path: Iterable[UUID]) -> Self:
        """The memberships that reach the node at the end of `path`: its own and its ancestors'."""
        return self.filter(organization_id__in=list(path))

    def nearest(self) -> Self:
        """One membership for each person, the deepest in the tree. People are in the order in which they signed up."""
        depth = Func(F("organization__path"), function="cardinality", output_field=models.IntegerField())
        return self.order_by("user_id", depth.desc()).distinct("user_id")


class Membership(models.Model):
    """A role of a person in an organization. It reaches down to every descendant, and never up or sideways."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        BILLING = "billing"
        DEVELOPER = "developer"
        VIEWER = "viewer"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=9, choices=Role.choices)
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[MembershipQuerySet] = MembershipQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} is {self.role} of {self.organization_id}"
