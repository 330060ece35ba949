"""What the server of forks.py imports, and the models of AWS, which botocore reads once and not in every fork."""

import gc
import importlib

import boto3
from botocore.loaders import JSONFileLoader

for _name in ("botocore.auth", "botocore.regions", "botocore.retries.standard", "chalice.config", "click", "requests"):
    importlib.import_module(_name)
for _name in ("rich.console", "rich.live", "rich.status", "stripe"):
    importlib.import_module(_name)

_read, _models = JSONFileLoader.load_file, {}


def _load_file(self: JSONFileLoader, path: str) -> object:
    if path not in _models:
        _models[path] = _read(self, path)
    return _models[path]


JSONFileLoader.load_file = _load_file
for _service in ("apigateway", "cloudformation", "iam", "lambda", "logs", "sns", "sqs", "ssm", "sts"):
    boto3.session.Session("a", "b", region_name="us-east-1").client(_service)
gc.freeze()
