"""Services on replicated objects: a key-value store, a tuple space, transactions."""
