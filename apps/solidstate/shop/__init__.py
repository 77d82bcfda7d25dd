"""The shop: a small web application whose carts and orders a group of servers keeps."""
