"""The API's routes, one file per subject: HTTP in, answers out. Reading is `queries/`, rules are `decisions/`."""
