"""Currencies, and the amounts that can be charged in them (https://docs.stripe.com/currencies)."""

from devstack.stripe import errors

_SUPPORTED = frozenset((
    "usd", "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bif",
    "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc", "cve",
    "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq",
    "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jpy", "kes", "kgs", "khr", "kmf", "krw",
    "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr",
    "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "pab", "pen", "pgk", "php", "pkr", "pln",
    "pyg", "qar", "ron", "rsd", "rub", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sle", "sos", "srd", "std",
    "szl", "thb", "tjs", "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "uyu", "uzs", "vnd", "vuv", "wst", "xaf",
    "xcd", "xof", "xpf", "yer", "zar", "zmw",
))  # fmt: skip
_MOST = 99_999_999
# Stripe's minimum depends on the rate to the account's own currency. The emulator's account is in dollars.
_LEAST = {"usd": 50}


def validate(amount: int, currency: str) -> None:
    """Validate an amount in the currency's minor unit, and the currency code in either case."""
    if currency.lower() not in _SUPPORTED:
        codes = ", ".join(sorted(_SUPPORTED))
        message = f"Invalid currency: {currency.lower()}. Stripe currently supports these currencies: {codes}"
        raise errors.invalid_request(message, "currency")
    least = _LEAST.get(currency.lower(), 1)
    for is_invalid, code, message in (
        (amount < 1, "parameter_invalid_integer", "This value must be greater than or equal to 1."),
        (amount < least, "amount_too_small", f"Amount must be at least {format_amount(least, currency)}"),
        (amount > _MOST, "amount_too_large", f"Amount must be no more than {format_amount(_MOST, currency)}"),
    ):
        if is_invalid:
            raise errors.invalid_request(message, "amount", code)


def format_amount(amount: int, currency: str) -> str:
    """Format an amount of hundredths for a message, such as ``$0.50 usd``."""
    sign = "$" if currency.lower() == "usd" else ""
    return f"{sign}{amount / 100:,.2f} {currency.lower()}"
