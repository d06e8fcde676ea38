"""PyMySQL."""
import dbapi
import pymysql

dbapi.run(
    lambda host, port, user, password, database: pymysql.connect(
        host=host, port=port, user=user, password=password, database=database, charset="utf8mb4"
    ),
    pymysql.Error,
)
