from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.lib import mailboxes


class EmailField(models.EmailField[str, str]):
    """An address that is normalized whenever it is cleaned, saved or looked up, by whatever path it comes."""

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        try:
            return mailboxes.normalize(text) if text else text
        except ValueError as error:
            raise ValidationError(_("Enter a valid email address."), code="invalid") from error

    def get_prep_value(self, value: Any) -> Any:
        """An address that has no normal form is nobody's, so that looking it up finds nothing."""
        try:
            return super().get_prep_value(value)
        except ValidationError:
            return str(value).lower()

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        email = self.get_prep_value(super().pre_save(model_instance, add))
        setattr(model_instance, self.attname, email)
        return email
