"""What is answered when the database refuses a statement."""

from django.db import OperationalError
from django.http import HttpResponse

DEADLOCK = 1213
LOCK_WAIT_TIMEOUT = 1205


class RefusedByDatabase:
    """Answers 503 if InnoDB has refused a request: nothing was done, and it can be sent again.

    `atomic` has rolled the transaction back by then. Every other error stays a 500.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if not isinstance(exception, OperationalError):
            return None
        code, *message = exception.args
        if code not in (DEADLOCK, LOCK_WAIT_TIMEOUT):
            return None
        return HttpResponse(f"error {code}: {' '.join(message)}\n", status=503)
