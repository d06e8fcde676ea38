"""Members spend bonus points: from an object that is too old, and from a fresh one.

A request begins with its member, whom its token names. So the session has the member's object
before any lock is taken. There is one object for each row in a session (the identity map), and a
query that returns the row again does not change it.
"""

from flask import Blueprint, g, request
from sqlalchemy import select

from .answers import Declined
from .database import Session
from .models import Member, Reward

routes = Blueprint("points", __name__)


@routes.before_request
def find_member():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    g.session = Session()
    g.member = g.session.scalars(select(Member).where(Member.token == token)).one_or_none()
    if not g.member:
        return {"error": "who are you?"}, 401


@routes.teardown_request
def close_session(_error):
    g.session.close()  # and roll back what was not committed


@routes.post("/points/spend/lost")
def spend_lost():
    """RACE: the row is locked, and read anew, and the object still has the points of before."""
    member = select(Member).where(Member.id == g.member.id).with_for_update()
    return spend(g.session.scalars(member).one())


@routes.post("/points/spend/holds")
def spend_holds():
    """The same statements. `refresh` puts what it has read into the object."""
    g.session.refresh(g.member, with_for_update=True)
    return spend(g.member)


def spend(member):
    cost = request.json["cost"]
    if member.points < cost:
        raise Declined("not enough points")
    member.points -= cost
    g.session.add(Reward(member_id=member.id, cost=cost))
    g.session.commit()
    return {"spent": cost}, 201
