"""Runs in MLflow: the only imports of mlflow, and only inside the functions that need it (it takes seconds).

Training never talks to MLflow. It appends to the run's spool; what the driver has to say (the run itself, figures, the
model, how it ended) is appended there too. An `UploadQueue` reads the spool and tells MLflow, in order, and keeps in
`tracking.json` how far it has come; whatever could not be told waits there for `pipeline sync`.
"""
