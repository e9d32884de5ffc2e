"""A run on several machines: cut in shards, worked on by many hands, led to its end by one."""
