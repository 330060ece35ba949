"""An invalid `.chalice/config.json` or shell stops `chalice deploy` and `make run` before they change anything."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.stack import PROJECT, Stack


def test_chalice_deploy_stops_at_a_secret_in_config_json(tmp_path: Path, stack: Stack):
    for name in ("stagectl", "devstack", "requirements.txt"):
        (tmp_path / name).symlink_to(PROJECT / name)
    shutil.copy(PROJECT / "app.py", tmp_path)
    shutil.copytree(PROJECT / "chalicelib", tmp_path / "chalicelib")
    shutil.copytree(PROJECT / ".chalice", tmp_path / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    project = json.loads((tmp_path / ".chalice" / "config.json").read_text())
    project["tags"]["note"] = "x_sk_live_abcdefgh"
    (tmp_path / ".chalice" / "config.json").write_text(json.dumps(project))
    command = [Path(sys.executable).with_name("chalice"), "deploy", "--stage", "prod"]
    done = subprocess.run(command, cwd=tmp_path, env=stack.aws.environment(), capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith("notes-billing: .chalice/config.json, tags.note: ")
    assert len(done.stderr.splitlines()) == 1
    assert stack.aws.calls == []
    assert "sk_live_" not in done.stdout + done.stderr


def test_make_run_rejects_an_invalid_variable_of_the_shell():
    environment = {"PATH": "/usr/bin:/bin", "CORS_ORIGIN": "nonsense", **free_ports()}
    command = [sys.executable, "-m", "devstack"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("notes-billing: CORS_ORIGIN is 'nonsense'")
    assert len(done.stderr.splitlines()) == 1
