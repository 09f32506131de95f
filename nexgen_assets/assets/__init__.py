"""The asset graph, a file per stage. Assets are thin: which function, which tables, which metadata."""
