"""The same with Powertools for AWS Lambda: its event handler, and its parameters utility, which caches the key."""

import json
import os
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.utilities import parameters
from charge import charge, stripe_client  # type: ignore[import-not-found]

app = APIGatewayRestResolver(cors=CORSConfig())


@app.post("/billing")  # type: ignore[untyped-decorator]
def billing() -> Any:
    """Charge for storing notes."""
    key = parameters.get_parameter(os.environ["STRIPE_KEY_PARAMETER"], decrypt=True, max_age=300)
    event = app.current_event
    status, body = charge(stripe_client(str(key)), event.json_body or {}, event.headers.get("idempotency-key"))
    return Response(status, "application/json", json.dumps(body))


def handler(event: dict[str, Any], context: Any) -> Any:
    """Handle API Gateway's event."""
    return app.resolve(event, context)
