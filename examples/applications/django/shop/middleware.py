"""What is answered when the database refuses a statement."""

from django.db import OperationalError
from django.http import HttpResponse

# Deadlock and lock wait timeout of InnoDB; deadlock, lock timeout and serialization failure of
# PostgreSQL.
REFUSALS = (1213, 1205, "40P01", "55P03", "40001")


class RefusedByDatabase:
    """Answers 503 if the engine has refused a request: nothing was done, and it can be sent again.

    `atomic` has rolled the transaction back by then. Every other error stays a 500.
    """

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return self.get_response(request)

    def process_exception(self, request, exception):
        if not isinstance(exception, OperationalError):
            return None
        # The driver's own error. Only psycopg has an SQLSTATE; PyMySQL's number comes first.
        error = exception.__cause__
        code = getattr(error, "sqlstate", error.args[0])
        if code not in REFUSALS:
            return None
        return HttpResponse(f"error {code}: {error.args[-1]}\n", status=503)
