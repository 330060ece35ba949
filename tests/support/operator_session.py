"""An operator at work: a checkout of their own, the credentials of an account, and `stagectl`."""

import atexit
import compileall
import functools
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from stagectl.packaging import prepare
from tests.support import forks
from tests.support.cloud import Account, Cloud
from tests.support.command_lines import check_output
from tests.support.stack import PROJECT, transcript


def copy_checkout(folder: Path) -> Path:
    """Copy what stagectl and Chalice work on, without what this checkout's own operator left."""
    folder.mkdir(exist_ok=True)
    for name in ("app.py", "chalicelib", "stagectl", "operations", "infrastructure", "requirements.txt"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    left = shutil.ignore_patterns("deployed", "deployments", "accounts.json")
    shutil.copytree(PROJECT / ".chalice", folder / ".chalice", ignore=left)
    return folder


class Operator:
    """Runs `stagectl` in a checkout of the project, with the credentials of a development and a production account."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud, self.stack, self.folder = cloud, cloud.stack, folder
        self.dev, self.prod = cloud.account(), cloud.account()
        self.live_key = self.issue_key("live")
        self.test_key = self.issue_key("test")
        package = _build()
        (copy_checkout(folder) / ".chalice" / "deployments").mkdir()
        shutil.copy(package, folder / ".chalice" / "deployments")

    def issue_key(self, mode: str) -> str:
        """A key that Stripe accepts; at the end of the run it may not have been shown."""
        self.stack.keys.append(self.stack.stripe.keys.issue(mode, None))  # type: ignore[arg-type]
        return self.stack.keys[-1]

    def account_of(self, stage: str) -> Account:
        return self.prod if stage == "prod" else self.dev

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "stagectl", *arguments]

    def environment(self, arguments: tuple[str, ...], account: Account | None) -> dict[str, str]:
        """Return the credentials for a command: those of the stage's account unless others are given."""
        stage = arguments[arguments.index("--stage") + 1] if "--stage" in arguments else "dev"
        return (account or self.account_of(stage)).environment()

    def run(
        self, *arguments: str, stdin: str = "", account: Account | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `stagectl` in a pipe."""
        done = forks.run(list(arguments), self.folder, {**self.environment(arguments, account), **environment}, stdin)
        transcript.append(done.stdout + done.stderr)
        if "--json" not in arguments:
            check_output(done.stdout + done.stderr)
        return done

    def does(self, *arguments: str, **options: Any) -> str:
        """Run a command that has to succeed, and return what it wrote to standard output."""
        done = self.run(*arguments, **options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def fails(self, *arguments: str, **options: Any) -> str:
        """Run a command that has to fail, and return what it said; never a traceback."""
        done = self.run(*arguments, **options)
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert "Traceback" not in said
        assert "unexpected error" not in said
        return said

    def calls_aws(self, service: str, action: str, *options: str) -> Any:
        """Call AWS as its command line does, with development's credentials. The project does not install it."""
        names = ["".join(word.capitalize() for word in option.strip("-").split("-")) for option in options[::2]]
        return getattr(self.dev.client(service), action.replace("-", "_"))(
            **dict(zip(names, options[1::2], strict=True))
        )

    def problems(self) -> dict[str, Any]:
        """Return dev's lines that are not ok, by check, without the warning that every new account has."""
        checks = json.loads(self.run("doctor", "--stage", "dev", "--json").stdout)["checks"]
        return {it["check"]: it for it in checks if it["level"] != "ok" and it["check"] != "throughput"}

    def url_of(self, stage: str) -> str:
        """The API's address, as `stagectl stages` shows it."""
        said = self.does("stages", "--json", account=self.account_of(stage))
        return str(next(row["url"] for row in json.loads(said) if row["stage"] == stage))

    def deploys(self, stage: str) -> str:
        """Store the stage's key, deploy it, and return the API's address."""
        if stage == "prod":
            self.does("stages", "pin", "--stage", stage, "--account", self.prod.id)
        self.does("secrets", "put", "--stage", stage, stdin=self.live_key if stage == "prod" else self.test_key)
        return self.does("deploy", "--stage", stage).strip().rpartition(" ")[2]


@functools.cache
def _build() -> Path:
    """Build the package of the unchanged sources, which every checkout has, once a run."""
    # Chalice names a package by all of chalicelib, caches too: every checkout gets the same.
    compileall.compile_dir(PROJECT / "chalicelib", quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="notes-billing-package-"))
    atexit.register(shutil.rmtree, folder)
    return prepare(copy_checkout(folder))
