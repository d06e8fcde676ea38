"""A list of things to do is one JSON value. Ticking a thing reads it, changes it, and saves it.

Two people tick two things. They change two places of one value, and the second one to save undoes
what the first has saved.
"""

from flask import Blueprint
from sqlalchemy.orm.exc import StaleDataError

from .answers import Declined
from .database import Session
from .models import Checklist, VersionedChecklist

routes = Blueprint("checklists", __name__)


@routes.post("/checklists/<int:pk>/items/<int:number>/tick/lost")
def tick_lost(pk, number):
    """RACE: UPDATE checklist SET items = … WHERE id = 1"""
    return tick(Checklist, pk, number)


@routes.post("/checklists/<int:pk>/items/<int:number>/tick/holds")
def tick_holds(pk, number):
    """UPDATE checklist SET items = …, version = 2 WHERE id = 1 AND version = 1"""
    try:
        return tick(VersionedChecklist, pk, number)
    except StaleDataError as error:  # no row has this version any more
        raise Declined("somebody has changed the list: look at it again") from error


def tick(model, pk, number):
    with Session.begin() as session:
        checklist = session.get(model, pk)
        if not checklist or not 1 <= number <= len(checklist.items):
            return {"error": "there is no such thing to do"}, 404
        # A new list: SQLAlchemy does not look for changes inside the old one.
        checklist.items = [
            {**item, "done": item["done"] or place == number}
            for place, item in enumerate(checklist.items, 1)
        ]
    return {"done": number}, 200
