"""Refuses uploaded files, because none of our forms has a file field."""

from typing import Any

from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler


class RefuseFiles(FileUploadHandler):
    """Refuses a form with a file as soon as the file begins."""

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        raise BadRequest("No file is expected here.")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise NotImplementedError

    def file_complete(self, file_size: int | None) -> None:
        raise NotImplementedError
