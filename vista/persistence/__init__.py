"""Objects that outlive their process: stores, what is written to them when, and restoring.

`store` says what a store is, `sqlite` is one; `writing` decides what is written when (sans-io);
`keeping` takes the states of objects and holds replies; `paging` brings objects back.
"""
