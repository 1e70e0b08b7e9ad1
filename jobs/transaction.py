"""Several changes of the storage as one: all of them are recorded, or none."""

from collections.abc import Iterator
from contextlib import contextmanager

from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.orm import scoped_session, sessionmaker


@contextmanager
def at_once(storage: RDBStorage) -> Iterator[RDBStorage]:
    """A storage whose changes are committed together at the end of the block; none on an error.

    Optuna commits each change by itself, which costs a database of files a wait for the disk each.
    Until then nobody else sees the changes, ``storage`` itself included, and on SQLite nobody else
    can write: the block is for changes alone. Raises StorageInternalError also where a change met
    one that somebody else had just made, which Optuna passes over where it stands alone.
    """
    with storage.engine.begin() as connection:
        transaction = connection.get_transaction()
        # Not by copy(): that one opens the database anew.
        joined = RDBStorage.__new__(RDBStorage)
        vars(joined).update(vars(storage))
        joined.scoped_session = scoped_session(
            sessionmaker(bind=connection, join_transaction_mode="rollback_only")
        )
        yield joined
        if transaction is None or not transaction.is_active:
            raise StorageInternalError("Somebody else was recording the same at the same time.")
