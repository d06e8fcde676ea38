"""Settings. The database and the delay come from the environment."""

import os
from pathlib import Path

from .database import database_of

BASE_DIR = Path(__file__).resolve().parent.parent

# The key signs nothing of value here. A real shop keeps its own out of the code.
SECRET_KEY = os.environ.get("SECRET_KEY", "an example, and no secret")
DEBUG = os.environ.get("DEBUG") == "1"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "deposits",
    "store",
]

MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shop.middleware.RefusedByDatabase",
]

ROOT_URLCONF = "shop.urls"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

DATABASES = {
    "default": {
        **database_of(os.environ.get("DATABASE_URL", "mysql://root@127.0.0.1/shop")),
        # Connections are kept for ever. DB_KEEP=0 makes one for each request instead.
        "CONN_MAX_AGE": 0 if os.environ.get("DB_KEEP") == "0" else None,
    }
}

# Sessions are rows. So they are there again when the tables are brought back.
SESSION_ENGINE = "django.contrib.sessions.backends.db"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True

# Seconds that the deposits named *_long_delay think. 0 is right for Racy, which needs no luck.
LONG_DELAY = float(os.environ.get("LONG_DELAY", "0"))
