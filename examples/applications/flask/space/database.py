"""The engine with its pool, and how a transaction is begun."""

import os

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

# Each of the four threads may have a connection. The pool keeps them all.
engine = create_engine(os.environ["DATABASE_URL"], pool_size=4, max_overflow=0, pool_timeout=600)

# READ COMMITTED, unless the server is set up otherwise.
Session = sessionmaker(engine)

# The same connections. Their level is set back when they return to the pool.
SerializableSession = sessionmaker(engine.execution_options(isolation_level="SERIALIZABLE"))
