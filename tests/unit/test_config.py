"""The tables of stages and secrets: what each stage uses, which settings are invalid, and what a key looks like."""

import pytest

from chalicelib.config import ConfigError, load
from chalicelib.key_formats import validate_signing_secret, validate_stripe_key


def test_without_variables_the_app_is_dev_and_calls_stripes_own_api():
    config = load({})
    assert (config.stage, config.stripe_api_base) == ("dev", "https://api.stripe.com")
    assert (config.admin_phone, config.cors_origin, config.currency) == ("+14151234567", "*", "usd")
    assert (config.serves_api, config.xray_daemon, config.on_chalice_cli) == (True, "", False)


@pytest.mark.parametrize(
    ("stage", "resources", "livemode", "key", "signing_secret"),
    [
        ("prod", "prod", True, "/stripeSecretKey/live", "/stripeWebhookSecret/prod"),
        ("dev", "dev", False, "/stripeSecretKey/test", "/stripeWebhookSecret/dev"),
        ("featureX", "dev", False, "/stripeSecretKey/test", "/stripeWebhookSecret/featureX"),
    ],
)
def test_a_stage_without_a_row_uses_devs_resources_and_test_mode(stage, resources, livemode, key, signing_secret):
    config = load({"STAGE": stage})
    assert (config.stage, config.resources_stage, config.livemode) == (stage, resources, livemode)
    assert config.note_purchased_topic == f"NotePurchased-{resources}"
    assert (config.parameter("stripe-key"), config.parameter("webhook-secret")) == (key, signing_secret)


def test_variables_of_lambda_and_of_chalices_command_line_are_read():
    daemon = "127.0.0.1:2000"
    config = load({"_HANDLER": "app.notify", "AWS_XRAY_DAEMON_ADDRESS": daemon, "AWS_CHALICE_CLI_MODE": "true"})
    assert (config.serves_api, config.xray_daemon, config.on_chalice_cli) == (False, daemon, True)


@pytest.mark.parametrize(
    ("stage", "base"),
    [("dev", "http://127.0.0.1:12111"), ("featureX", "http://localhost:1"), ("dev", "https://stripe.example.com")],
)
def test_stripes_address_can_be_overridden_on_test_stages(stage, base):
    assert load({"STAGE": stage, "STRIPE_API_BASE": base}).stripe_api_base == base


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("STRIPE_API_BASE", {"STAGE": "prod", "STRIPE_API_BASE": "https://api.stripe.com"}),
        ("STRIPE_API_BASE", {"STRIPE_API_BASE": "http://stripe.example.com"}),
        ("STRIPE_API_BASE", {"STRIPE_API_BASE": "http://localhost.example.com"}),
        ("STAGE", {"STAGE": ""}),
        ("STAGE", {"STAGE": "Prod"}),
        ("STAGE", {"STAGE": "feature X"}),
        ("RESOURCES_STAGE", {"STAGE": "featureX", "RESOURCES_STAGE": "prod"}),
        ("RESOURCES_STAGE", {"STAGE": "prod", "RESOURCES_STAGE": "dev"}),
        ("NOTE_PURCHASED_TOPIC", {"NOTE_PURCHASED_TOPIC": "arn:aws:sns:us-east-1:123456789012:NotePurchased"}),
        ("ADMIN_PHONE", {"ADMIN_PHONE": "415 123 4567"}),
        ("ADMIN_PHONE", {"ADMIN_PHONE": "sk_live_abcdefgh"}),
        ("CORS_ORIGIN", {"CORS_ORIGIN": "notes.example.com"}),
        ("CORS_ORIGIN", {"CORS_ORIGIN": "https://notes.example.com/"}),
    ],
)
def test_an_invalid_setting_is_named_in_one_line_and_a_secret_in_it_is_not_quoted(name, environment):
    with pytest.raises(ConfigError, match=rf"^{name} ") as raised:
        load(environment)
    assert "\n" not in str(raised.value)
    assert "sk_live_" not in str(raised.value)


@pytest.mark.parametrize(("mode", "other"), [("live", "test"), ("test", "live")])
def test_a_stripe_key_fits_one_mode(mode, other):
    for kind in ("sk", "rk"):
        key = f"{kind}_{mode}_51HabcdefgH"
        assert validate_stripe_key(key, mode) is None
        problem = validate_stripe_key(key, other)
        assert problem
        assert f"is a {mode} key" in problem
        assert f"sk_{other}_ or rk_{other}_" in problem
        assert key not in problem


@pytest.mark.parametrize(
    "value",
    ["", "hello", "sk_test_", "sk_test_short", "sk_test_a b c d e f", "sk_test_abcdefgh\n", "sk_test_" + "a" * 241],
)
def test_no_other_value_is_a_stripe_key_and_a_publishable_key_is_recognised(value):
    assert "is not a test key" in str(validate_stripe_key(value, "test"))
    assert "publishable" in str(validate_stripe_key("pk_test_51Habcdefgh", "test"))


@pytest.mark.parametrize("value", ["whsec_", "whsec_éabcdefghi", "whsec_abc\tdefg", "sk_test_abcdefgh"])
def test_a_signing_secret_is_printable_and_begins_with_whsec(value):
    assert validate_signing_secret("whsec_abcdefg", "test") is None
    assert "is not a webhook signing secret" in str(validate_signing_secret(value, "test"))


def test_a_stage_validates_its_secrets_for_its_mode():
    keys = {"live": "sk_live_abcdefgh", "test": "sk_test_abcdefgh"}
    for stage, mode in (("prod", "live"), ("dev", "test"), ("featureX", "test")):
        config = load({"STAGE": stage})
        assert [name for name, key in keys.items() if config.validate("stripe-key", key) is None] == [mode]
        assert config.validate("webhook-secret", "whsec_abcdefg") is None
