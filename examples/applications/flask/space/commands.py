"""`flask --app space create-tables`, and what was added to the tables later."""

import click
from sqlalchemy import text

from .database import Session, engine
from .models import Base, Checklist, Coupon, Member

TO_DO = ["turn off the coffee machine", "close the windows", "lock the door"]


@click.command()
def create_tables():
    """Makes all tables, and their first rows."""
    Base.metadata.create_all(engine)
    with Session.begin() as session:
        session.add(Coupon(code="OPENING", limit=1))
        session.add(Member(token="example", points=100))
        session.add(Checklist(items=[{"text": what, "done": False} for what in TO_DO]))


@click.command()
def forbid_overlaps():
    """No two bookings of one room may overlap. The extension lets gist index a number."""
    with engine.begin() as connection:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS btree_gist"))
        connection.execute(text(
            "ALTER TABLE booking ADD CONSTRAINT no_overlap"
            " EXCLUDE USING gist (room WITH =, during WITH &&)"
        ))
