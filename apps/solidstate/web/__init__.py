"""State variables as web applications: sessions, their pages, and who asks the group for them."""
