"""The lines that the app logs, read as CloudWatch reads them."""

import json
from typing import Any


def parse(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def metrics(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line's metrics. Each has its dimensions, and is counted once."""
    directives = line.get("_aws", {}).get("CloudWatchMetrics", [])
    for directive in directives:
        assert directive["Namespace"] == "notes-billing"
        assert all(name in line for names in directive["Dimensions"] for name in names)
    named = [metric["Name"] for directive in directives for metric in directive["Metrics"]]
    assert len(named) == len(set(named))
    return {name: line[name] for name in named}
