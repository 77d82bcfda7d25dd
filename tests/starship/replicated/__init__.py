"""Games without a primary: the judge, the realm, and whole games in a simulated world."""
