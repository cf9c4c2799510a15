"""Who may change whose privileges: nobody can give privileges that they lack, or edit people who have more."""

from django.contrib.auth.models import AnonymousUser, Group, Permission
from django.db.models import Q, QuerySet

from accounts.models import User

Operator = User | AnonymousUser
APPROVES = "approve_changerequest"


def of(user: Operator) -> QuerySet[Permission]:
    """The person's permissions, or those that they would have once they are active again."""
    if user.is_superuser:
        return Permission.objects.all()
    return Permission.objects.filter(Q(group__user=user.pk) | Q(user=user.pk)).distinct()


def is_above(user: User, operator: Operator) -> bool:
    """Whether `user` has a privilege that `operator` lacks, or is somebody else who approves requests.

    Somebody who could change the address of an approver could sign in as them, and approve their own requests.
    """
    if operator.is_superuser:
        return False
    held = of(user)
    approves = user.pk != operator.pk and held.filter(codename=APPROVES).exists()
    return user.is_superuser or approves or held.exclude(pk__in=of(operator)).exists()


def grantable_groups(operator: Operator) -> QuerySet[Group]:
    """The groups that hold nothing that `operator` lacks."""
    if operator.is_superuser:
        return Group.objects.all()
    beyond = Permission.objects.exclude(pk__in=of(operator))
    return Group.objects.exclude(permissions__in=beyond)
