"""Runs in MLflow: the only imports of mlflow, and only inside the functions that need it (it takes seconds).

Training never calls MLflow: it appends to the run's event log. The driver appends there, too: the run itself, figures,
the model, the final status. An `UploadQueue` sends these events to MLflow in order, and stores in `tracking.json` how
many bytes are sent; events that can't be sent now wait there for `pipeline sync`.
"""
