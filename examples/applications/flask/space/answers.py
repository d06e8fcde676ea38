"""What is answered when something is not done."""


class Declined(Exception):
    """The space's own no. Raised in a transaction, it rolls back everything."""


def on_declined(no):
    return {"error": str(no)}, 409


def on_refused(error):
    """A deadlock, for instance: nothing was done, and the request can be sent again."""
    return {"error": f"{error.orig.sqlstate}: send the request again"}, 503
