"""A coupon may be redeemed a number of times: checked wrong, and right.

No row says how often it was redeemed. Each request inserts a row that the other's count is about,
and writes none that the other writes. That is write skew.
"""

from flask import Blueprint, request
from psycopg.errors import SerializationFailure
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from .answers import Declined
from .database import SerializableSession, Session
from .models import Coupon, Redemption

routes = Blueprint("coupons", __name__)

ATTEMPTS = 3


@routes.post("/coupons/<code>/redeem/lost")
def redeem_lost(code):
    """RACE: the count does not see what others are about to insert."""
    with Session.begin() as session:
        return redeem(session, code)


@routes.post("/coupons/<code>/redeem/holds")
def redeem_holds(code):
    """SERIALIZABLE: the engine refuses one of two such requests. It counts again then."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with SerializableSession.begin() as session:
                return redeem(session, code)
        except OperationalError as error:
            if attempt == ATTEMPTS or not isinstance(error.orig, SerializationFailure):
                raise


def redeem(session, code):
    limit_and_count = (
        select(Coupon.limit, func.count(Redemption.id))
        .outerjoin(Coupon.redemptions)
        .where(Coupon.code == code)
        .group_by(Coupon.code)
    )
    limit, count = session.execute(limit_and_count).one_or_none() or (0, 0)
    if count >= limit:
        raise Declined("there is no such coupon, or it is used up")
    session.add(Redemption(code=code, email=request.json["email"]))
    return {"redeemed": code}, 201
