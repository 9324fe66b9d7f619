"""`hondo bench`: how fast a server answers, beside what its machine could do at best."""
