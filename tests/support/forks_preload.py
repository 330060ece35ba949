"""What the server of forks.py imports, and the models of AWS, which botocore reads once and not in every fork."""

import functools
import gc
import importlib

import boto3
from botocore.loaders import JSONFileLoader, Loader

for _name in ("botocore.auth", "botocore.regions", "botocore.retries.standard", "chalice.config", "click", "requests"):
    importlib.import_module(_name)
for _name in ("rich.console", "rich.live", "rich.status", "stripe"):
    importlib.import_module(_name)

_loader = JSONFileLoader()
_loader.load_file = functools.cache(_loader.load_file)  # type: ignore[method-assign]
Loader.FILE_LOADER_CLASS = lambda _self: _loader  # type: ignore[assignment]
for _service in ("apigateway", "cloudformation", "iam", "lambda", "logs", "sns", "sqs", "ssm", "sts"):
    boto3.session.Session("a", "b", region_name="us-east-1").client(_service)
gc.freeze()
