"""What Alembic runs to migrate: on the connection, and in the transaction, that `database.migrate` gives it."""

from alembic import context

from orchestrator.server.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
