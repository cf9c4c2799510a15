"""Amounts as a payment gateway wants them: whole numbers of the currency's minor unit.

The table is our own. Babel's `get_currency_precision` is about display and is wrong for charging: it gives RSD and ALL
no decimals, but they are charged in hundredths. Source: docs.stripe.com/currencies, November 2026.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from accounts.lib.sentences import filled

# Charged in whole units, and sent as they are: 500 JPY is 500.
_ZERO_DECIMALS = {
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
}  # fmt: skip
# Sent in thousandths, with a zero as the last digit: 1.25 KWD is 1250.
_THREE_DECIMALS = {"BHD", "JOD", "KWD", "OMR", "TND"}
# Sent in hundredths, but only whole units are taken: 500 ISK is 50000.
_WHOLE_UNITS = {"ISK"}

# What we may charge, and the least that one charge may be, in units. These are the minimums that Stripe documents…
_DOCUMENTED_MINIMUMS = """
AED 2 AUD 0.50 BGN 1 BRL 0.50 CAD 0.50 CHF 0.50 CZK 15 DKK 2.50 EUR 0.50 GBP 0.30 HKD 4 HUF 175 INR 0.50 JPY 50 MXN 10
MYR 2 NOK 3 NZD 0.50 PLN 2 RON 2 SEK 3 SGD 0.50 THB 10 USD 0.50
"""
# … and for the others, about one US dollar: Stripe wants half a dollar's worth at the rate of the day.
_ESTIMATED_MINIMUMS = """
AFN 75 ALL 100 AMD 400 ANG 2 AOA 1000 ARS 1500 AWG 2 AZN 2 BAM 2 BBD 2 BDT 125 BHD 0.40 BIF 3000 BMD 1 BND 1.50 BOB 10
BSD 1 BWP 15 BYN 4 BZD 2 CDF 3000 CLP 1000 CNY 8 COP 4500 CRC 550 CVE 110 DJF 180 DOP 65 DZD 140 EGP 55 ETB 160
FJD 2.50 FKP 1 GEL 3 GIP 1 GMD 75 GNF 9000 GTQ 8 GYD 210 HNL 27 HTG 135 IDR 17000 ILS 4 ISK 140 JMD 160 JOD 0.75
KES 130 KGS 90 KHR 4200 KMF 450 KRW 1500 KWD 0.35 KYD 1 KZT 550 LAK 22000 LBP 90000 LKR 310 LRD 200 LSL 18 MAD 10
MDL 18 MGA 4600 MKD 60 MMK 2200 MNT 3600 MOP 8 MUR 47 MVR 16 MWK 1800 MZN 65 NAD 18 NGN 1600 NIO 37 NPR 145 OMR 0.40
PAB 1 PEN 4 PGK 5 PHP 60 PKR 285 PYG 8000 QAR 4 RSD 110 RUB 100 RWF 1500 SAR 4 SBD 9 SCR 15 SHP 1 SLE 24 SOS 580
SRD 40 SZL 18 TJS 11 TND 3 TOP 2.50 TRY 45 TTD 7 TWD 33 TZS 2700 UAH 43 UYU 42 UZS 13000 VND 27000 VUV 120 WST 3
XAF 600 XCD 3 XCG 2 XOF 600 XPF 110 YER 250 ZAR 18 ZMW 28
"""


def _read(table: str) -> dict[str, Decimal]:
    words = table.split()
    return {currency: Decimal(minimum) for currency, minimum in zip(words[::2], words[1::2], strict=True)}


MINIMUMS = _read(_DOCUMENTED_MINIMUMS) | _read(_ESTIMATED_MINIMUMS)
LARGEST_MINOR = 99_999_999  # Stripe takes eight digits


class NotChargeable(Exception):
    """The amount can't be charged in this currency. `code` is for programs, the message is a sentence for people."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, order=True)
class Money:
    """`minor` is a count of the currency's minor unit: 1250 USD is 12.50 dollars, 500 JPY is 500 yen."""

    minor: int
    currency: str

    @property
    def amount(self) -> Decimal:
        """The same in units."""
        return Decimal(self.minor).scaleb(-_exponent(self.currency))


def money(amount: Decimal, currency: str) -> Money:
    """The exact amount in minor units. Raises `NotChargeable` for an unknown currency or too many decimals."""
    if currency not in MINIMUMS:
        raise NotChargeable("currency_not_supported", filled("%(currency)s can't be charged.", currency=currency))
    largest = Money(LARGEST_MINOR, currency).amount
    if amount > largest:
        raise NotChargeable(
            "amount_too_large",
            filled("The largest charge is %(largest)s %(currency)s.", largest=largest, currency=currency),
        )
    places = decimals(currency)
    if amount != round(amount, places):
        raise NotChargeable(
            "amount_too_precise",
            filled("%(currency)s is charged with at most %(places)s decimals.", currency=currency, places=places),
        )
    return Money(int(amount.scaleb(_exponent(currency))), currency)


def charge(amount: Decimal, currency: str) -> Money:
    """An amount to charge: as `money`, and not below the currency's minimum."""
    result = money(amount, currency)
    if amount < MINIMUMS[currency]:
        raise NotChargeable(
            "amount_too_small",
            filled("The smallest charge is %(smallest)s %(currency)s.", smallest=MINIMUMS[currency], currency=currency),
        )
    return result


def round_up(amount: Decimal, currency: str) -> Decimal:
    """The smallest amount that can be charged and is not below `amount`, the currency's minimum included."""
    step = Decimal(1).scaleb(-decimals(currency))
    return max(amount.quantize(step, rounding=ROUND_CEILING), MINIMUMS[currency])


def decimals(currency: str) -> int:
    """How many decimals an amount to charge may have: 2 for USD, 0 for JPY and ISK, 2 for KWD."""
    return 0 if currency in _ZERO_DECIMALS | _WHOLE_UNITS else 2


def _exponent(currency: str) -> int:
    if currency in _ZERO_DECIMALS:
        return 0
    return 3 if currency in _THREE_DECIMALS else 2
