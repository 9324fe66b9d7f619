"""What a training did, for people to look at: one page with plots, pictures and tables in the run folder."""
