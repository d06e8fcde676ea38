"""What several views answer."""

from django.http import HttpResponse
from django.shortcuts import render


def form_page(request, title, form):
    # A form that is bound has come back with mistakes. Its status must not say that all is well.
    status = 400 if form.is_bound else 200
    return render(request, "store/form.html", {"title": title, "form": form}, status=status)


def message(text, status=200):
    return HttpResponse(text + "\n", status=status, content_type="text/plain")


def no_more(text):
    """The application's own no: the request was fine, and the goods are gone."""
    return message(text, status=409)
