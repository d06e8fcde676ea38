"""The project: settings, addresses, and the way into the database."""

import pymysql

# Django asks for MySQLdb, which is C and needs MySQL's headers. PyMySQL takes its place.
pymysql.install_as_MySQLdb()
