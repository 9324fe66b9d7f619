"""What a manifest says of a task, held against the graphs before anyone asks."""
