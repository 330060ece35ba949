"""What `.chalice/config.json` says of the stage, beyond what stops every deploy (chalicelib/project.py)."""

from stagectl import stages
from stagectl.doctor.context import CheckContext, Verdict, ok, warn

_FUNCTIONS = ("api_handler", "notify")

# What chalicelib/config.py reads.
READ = frozenset({"STAGE", "RESOURCES_STAGE", "NOTE_PURCHASED_TOPIC", "ADMIN_PHONE", "CORS_ORIGIN", "STRIPE_API_BASE"})
_PLACEHOLDERS = {"ADMIN_PHONE": "+14151234567", "CORS_ORIGIN": "https://notes.example.com"}


def variables(examined: CheckContext) -> Verdict:
    """Check that the stage sets no variable that nothing reads: most likely it is misspelt."""
    unread = sorted({name for function in _FUNCTIONS for name in _variables(examined, function)} - READ)
    if unread:
        return warn(
            f"config.json sets {', '.join(unread)}, which this service does not read.",
            f"Mend the spelling in .chalice/config.json (it reads {', '.join(sorted(READ))}), then: "
            f"{examined.stagectl('deploy')}",
        )
    return ok("config.json sets no variable that is not read, and no secret.")


def placeholders(examined: CheckContext) -> Verdict:
    """Check that production does not have the values that the repository came with."""
    variables = _variables(examined, "api_handler")
    left = [name for name, value in _PLACEHOLDERS.items() if variables.get(name) == value]
    if examined.config.livemode and left:
        return warn(
            f"config.json has the example's {' and '.join(left)} for prod.",
            "Set ADMIN_PHONE to the phone that is to be texted and CORS_ORIGIN to your site in .chalice/config.json, "
            f"then: {examined.stagectl('deploy')}",
        )
    return ok(f"Texts go to {examined.config.admin_phone}; browsers: {examined.config.cors_origin}.")


def _variables(examined: CheckContext, function: str) -> dict[str, str]:
    return dict(stages.chalice_config(examined.target.stage, function).environment_variables)
