"""All addresses."""

from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.urls import include, path

urlpatterns = [
    path("health", lambda request: HttpResponse("ok\n")),
    path("login/", LoginView.as_view(template_name="store/login.html")),
    path("deposits/", include("deposits.urls")),
    path("", include("store.urls")),
]
