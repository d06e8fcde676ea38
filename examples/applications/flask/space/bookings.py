"""A room is booked for some hours. There is one request, and it looks before it books.

Whether it holds is up to the table. `flask forbid-overlaps` adds a constraint, and makes it right.
"""

from datetime import datetime

from flask import Blueprint, request
from psycopg.errors import ExclusionViolation
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from .answers import Declined
from .database import Session
from .models import Booking

routes = Blueprint("bookings", __name__)


@routes.post("/rooms/<int:room>/bookings")
def book(room):
    """RACE, without the constraint: two bookings that are not there yet do not see each other."""
    hours = [datetime.fromisoformat(request.json[key]) for key in ("from", "to")]
    during = Range(*hours)  # with its beginning, without its end
    try:
        with Session.begin() as session:
            taken = select(Booking.id).where(Booking.room == room, Booking.during.overlaps(during))
            if session.scalars(taken.limit(1)).first():
                raise Declined("the room is taken")
            session.add(Booking(room=room, during=during, email=request.json["email"]))
    except IntegrityError as error:
        if not isinstance(error.orig, ExclusionViolation):
            raise
        raise Declined("the room has just been taken") from error
    return {"room": room}, 201
