"""Write openapi.json, or print it: `python -m devstack.openapi [-]`."""

import json
import os
import sys

from devstack.child import PROJECT
from devstack.openapi.document import document


def main() -> None:
    """Generate the description of the app as it is."""
    os.environ["AWS_CHALICE_CLI_MODE"] = "true"  # as `chalice deploy` imports it: nothing is read, no key is asked for
    import app

    text = json.dumps(document(app.app), indent=2, ensure_ascii=False) + "\n"
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(text)
    else:
        (PROJECT / "openapi.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
