"""What is told of requests: their course, counts and metrics, statistics, traces and the log."""
