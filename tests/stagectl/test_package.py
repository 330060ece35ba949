"""The package that `make package` builds: its contents, that builds are reproducible, and that it serves purchases."""

import importlib.util
import json
import marshal
import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from devstack.runtime_api import LambdaContainer
from stagectl import packaging
from tests.support.lambda_container import billing_event
from tests.support.stack import PROJECT, PURCHASE, Stack

MB = 1024 * 1024
PURCHASES = 50
SNS = {"MessageAttributes": {}, "Subject": None}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the package and the template of a separate checkout."""
    folder = tmp_path_factory.mktemp("package")
    return packaging.build("dev", folder / "out", checkout(folder / "project"))


@pytest.fixture(scope="module")
def unpacked(built: Path) -> Path:
    """Unpack the package."""
    folder = built.parent / "task"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder)
    return folder


def checkout(folder: Path) -> Path:
    for name in ("app.py", "chalicelib", "stagectl", "operations", ".chalice", "requirements.txt"):
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        folder.mkdir(exist_ok=True)
        copy(PROJECT / name, folder / name)
    shutil.rmtree(folder / ".chalice" / "deployments", ignore_errors=True)
    return folder


def test_it_contains_the_app_its_imports_and_nothing_else(built: Path):
    names = zipfile.ZipFile(built).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "app.py", "chalicelib", "chalice", "stripe", "typing_extensions.py", "__pycache__",
    }  # fmt: skip
    other = {name for name in names if not name.endswith((".py", ".pyc"))}
    assert other == {"stripe/data/ca-certificates.crt", "chalicelib/aws/amazon_roots.pem"}
    of_chalice = {name for name in names if name.startswith("chalice/") and name.endswith(".py")}
    assert of_chalice == {"chalice/__init__.py", "chalice/app.py"}
    assert built.stat().st_size <= 5 * MB


def test_every_source_has_its_bytecode_for_this_python(unpacked: Path):
    sources = list(unpacked.rglob("*.py"))
    assert len(sources) > 100
    for source in sources:
        bytecode = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert bytecode[:4] == importlib.util.MAGIC_NUMBER
        assert bytecode[8:16] == importlib.util.source_hash(source.read_bytes())
        # Tracebacks show no path of this machine.
        assert marshal.loads(bytecode[16:]).co_filename == f"/var/task/{source.relative_to(unpacked)}"
    assert len(list(unpacked.rglob("*.pyc"))) == len(sources)


def test_it_serves_purchases_within_32_mb_with_one_read_and_one_connection(stack: Stack, unpacked: Path):
    before = stack.stripe.connections
    with LambdaContainer(unpacked, "app.app", stack.environment(), isolated=True) as container:
        for number in range(PURCHASES):
            response = container.invoke(billing_event(PURCHASE, Idempotency_Key=f"package-{number}"))
            assert (response["statusCode"], json.loads(response["body"])["amount"]) == (200, 4200)
        status = Path(f"/proc/{container.process.pid}/status")
        if status.exists():  # Linux, which is what Lambda is
            resident = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
            # This includes AWS's runtime client.
            assert int(resident.split()[1]) * 1024 <= 32 * MB
        assert stack.reads() == 1
        assert [request.path for request in stack.stripe.requests] == ["/v1/payment_intents"] * PURCHASES
        # It contains what stripe-python imports only for an error of Stripe.
        declined = container.invoke(billing_event({"source": "tok_chargeDeclined", "storage": 1}))
        assert (declined["statusCode"], json.loads(declined["body"])["code"]) == (402, "card_declined")
        assert json.loads(declined["body"])["payment_id"].startswith("pi_")
    assert stack.stripe.connections - before == 1


def test_a_purchase_imports_only_what_it_needs(stack: Stack, unpacked: Path, tmp_path: Path):
    names = ["asyncio", "boto3", "botocore", "pathlib", "requests", "stripe._payment_intent", "urllib3"]
    # Until Python 3.10, the standard library's `platform` imports it, which stripe-python imports.
    names += ["subprocess"] if sys.version_info >= (3, 11) else []
    tmp_path.joinpath("imports.py").write_text(
        f"import json, sys\nsys.path.insert(0, {str(unpacked)!r})\nimport app\n"
        "def handler(event, context):\n"
        "    response = app.app(event, context)\n"
        f"    return [response['statusCode'], [name for name in {names} if name in sys.modules]]\n"
    )
    with LambdaContainer(tmp_path, "imports.handler", stack.environment(), isolated=True) as container:
        status, imported = container.invoke(billing_event(PURCHASE, Idempotency_Key="imports"))
    assert (status, imported) == (200, [])


@pytest.mark.slow
def test_notify_runs_from_it_too(stack: Stack, unpacked: Path):
    message = {
        "event": "note_purchased", "event_id": "evt_1", "payment_id": "pi_packaged", "amount": 4200, "currency": "usd",
        "storage": 21, "stage": "dev", "created": 1_800_000_000, "description": None,
    }  # fmt: skip
    event = {"Records": [{"EventSource": "aws:sns", "Sns": {**SNS, "Message": json.dumps(message)}}]}
    with LambdaContainer(unpacked, "app.notify", stack.environment(), isolated=True) as container:
        assert container.invoke(event) is None
    assert (stack.reads(), stack.stripe.requests) == (0, [])  # no secret, no payment
    assert any("pi_packaged" in text for text in stack.texts())


@pytest.mark.slow
def test_the_same_sources_give_the_same_package_and_a_change_gives_another(built: Path, tmp_path: Path):
    again = packaging.prepare(checkout(tmp_path / "elsewhere"))
    assert again.read_bytes() == built.read_bytes()
    pricing = tmp_path / "elsewhere" / "chalicelib" / "billing" / "pricing.py"
    pricing.write_text(pricing.read_text().replace("rate = 400", "rate = 500"))
    changed = zipfile.ZipFile(packaging.prepare(tmp_path / "elsewhere"))
    name = f"chalicelib/billing/__pycache__/pricing.cpython-{sys.version_info[0]}{sys.version_info[1]}.pyc"
    assert changed.read(name)[8:16] == importlib.util.source_hash(pricing.read_bytes())


@pytest.mark.slow
def test_an_error_of_chalice_is_reported(tmp_path: Path):
    project = checkout(tmp_path / "project")
    (project / ".chalice" / "config.json").write_text("{")
    with pytest.raises(packaging.PackageError, match=r"chalice package failed: .* config file: Expecting property"):
        packaging.build("dev", tmp_path / "out", project)
