"""What a door may ask of the Workbench: a file for each of its jobs, over the parts that it is put together from."""
