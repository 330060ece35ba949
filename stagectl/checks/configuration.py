"""What `.chalice/config.json` says of the stage, beyond what stops every deploy (chalicelib/project.py)."""

from stagectl import stages
from stagectl.checks.examined import Examined, Finding

# What chalicelib/config.py reads.
_KNOWN = {"STAGE", "RESOURCES_STAGE", "NOTE_PURCHASED_TOPIC", "ADMIN_PHONE", "CORS_ORIGIN", "STRIPE_API_BASE"}
_PLACEHOLDERS = {"ADMIN_PHONE": "+14151234567", "CORS_ORIGIN": "https://notes.example.com"}


def variables(examined: Examined) -> Finding:
    """Check that the stage sets no variable that nothing reads: most likely it is misspelt."""
    unknown = sorted(set(stages.chalice_config(examined.target.stage).environment_variables) - _KNOWN)
    if unknown:
        return Finding(
            "variables",
            "warn",
            f"config.json sets {', '.join(unknown)}, which this service does not read.",
            f"It reads {', '.join(sorted(_KNOWN))}: mend the spelling.",
        )
    return Finding("variables", "ok", "config.json sets no variable that is not read, and no secret.")


def placeholders(examined: Examined) -> Finding:
    """Check that production does not have the values that the repository came with."""
    variables = stages.chalice_config(examined.target.stage).environment_variables
    left = [name for name, value in _PLACEHOLDERS.items() if variables.get(name) == value]
    if examined.config.livemode and left:
        return Finding(
            "placeholders",
            "warn",
            f"config.json has the example's {' and '.join(left)} for prod.",
            "Set ADMIN_PHONE to the phone that is to be texted and CORS_ORIGIN to your site, and deploy.",
        )
    return Finding(
        "placeholders", "ok", f"Texts go to {examined.config.admin_phone}; browsers: {examined.config.cors_origin}."
    )
