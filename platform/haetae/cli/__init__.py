"""The command line: parse → workbench → print → exit code. Nothing heavy is imported to show help."""
