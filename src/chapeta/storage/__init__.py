"""Where state is kept that several processes share: one database, SQLite by default, PostgreSQL by address.

Everything here that talks to a database imports SQLAlchemy (0.6 s), so those above import it inside functions.
"""
