"""An event has a number of seats: reserved wrong, and right."""

from django import forms
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.shortcuts import get_object_or_404

from .answers import form_page, message, no_more
from .models import Event


@login_required
def reserve(request, event):
    """Count, then insert. The count says nothing about rows that others are about to insert."""
    if request.method != "POST":
        return form_page(request, "Reserve a seat", forms.Form())

    with transaction.atomic():
        return take_seat(request.user, get_object_or_404(Event, pk=event))


@login_required
def reserve_holds(request, event):
    """The event's row is locked before the count. It stands for all of the event's seats."""
    if request.method != "POST":
        return form_page(request, "Reserve a seat", forms.Form())

    events = Event.objects.select_for_update()
    with transaction.atomic():
        return take_seat(request.user, get_object_or_404(events, pk=event))


def take_seat(user, event):
    if event.reservation_set.count() >= event.seats:
        return no_more("all seats are taken")
    event.reservation_set.create(user=user)
    return message("reserved")
