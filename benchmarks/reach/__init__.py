"""What `benchmarks/reachability.py` is made of: models, the host's samplers, schedules, statistics, tables, picture."""
