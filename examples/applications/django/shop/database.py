"""What Django has to be told of the database that a URL names."""

from urllib.parse import unquote, urlsplit

ENGINES = {
    # Django's default on MySQL. It is written down because races depend on it.
    "mysql": ("mysql", {"charset": "utf8mb4", "isolation_level": "read committed"}),
    # The server's own level, which is READ COMMITTED unless somebody has changed it.
    "postgresql": ("postgresql", {}),
}


def database_of(url):
    parts = urlsplit(url)
    engine, options = ENGINES[parts.scheme]
    return {
        "ENGINE": f"django.db.backends.{engine}",
        "HOST": parts.hostname,
        "PORT": parts.port or "",
        "NAME": parts.path.removeprefix("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "OPTIONS": options,
    }
