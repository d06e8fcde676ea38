"""A coworking space: coupons, rooms, bonus points and checklists.

Each blueprint has a request that races, and one that holds. They are apart from each other.
"""

from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from . import bookings, checklists, commands, coupons, points
from .answers import Declined, on_declined, on_refused
from .database import Session


def create_app():
    app = Flask(__name__)
    for module in (coupons, bookings, points, checklists):
        app.register_blueprint(module.routes)
    app.cli.add_command(commands.create_tables)
    app.cli.add_command(commands.forbid_overlaps)
    app.register_error_handler(Declined, on_declined)
    app.register_error_handler(OperationalError, on_refused)
    app.add_url_rule("/health", view_func=health)
    return app


def health():
    """The space is open once its database answers."""
    with Session() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}
