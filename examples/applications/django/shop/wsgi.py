"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()

# Django imports the views at the first request. Here they are imported before the fork.
import shop.urls  # noqa: E402, F401
