"""The steps by which an older database becomes one of this version; `database.migrate` takes them."""
