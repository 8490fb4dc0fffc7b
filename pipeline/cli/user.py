"""A home folder and a name for a user that the system does not know, as in a container that runs under any uid."""

import getpass
import os
from pathlib import Path


def provide_user(home: Path) -> None:
    """Set HOME to `home` and USER to the uid where neither the environment nor the user database has them.

    Ray, MLflow and torch read both when they are imported and raise without them. The folder is not created.
    """
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(home)
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):  # KeyError until Python 3.12
        os.environ["USER"] = f"uid-{os.getuid()}"
