"""mysqlclient, over libmariadb."""
import dbapi
import MySQLdb

# Without ssl_mode a new libmariadb would ask for TLS, which the proxy does not offer.
dbapi.run(
    lambda host, port, user, password, database: MySQLdb.connect(
        host=host, port=port, user=user, password=password, database=database,
        charset="utf8mb4", ssl_mode="DISABLED",
    ),
    MySQLdb.Error,
)
