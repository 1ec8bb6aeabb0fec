# ruff: noqa: RUF001 - look-alike digits are the point
"""Rows as real contact tables have them, for a campaign to +91, and what must become of each."""

from __future__ import annotations

from typing import NamedTuple

LISTED = "listed"


class Row(NamedTuple):
    """One row of the query and its fate: the phone it is called at, the disposition, a part of the detail."""

    phone: str | None
    name: str | None
    called_at: str | None
    disposition: str
    detail: str = ""


# fmt: off
ROWS: tuple[Row, ...] = (
    # Spellings of a good number; every row has a number of its own, so that no duplicate hides a mistake.
    Row("+919876500001", "plain", "+919876500001", LISTED),
    Row("919876500002", "no plus", "+919876500002", LISTED),
    Row("9876500003", "national", "+919876500003", LISTED),
    Row("09876500004", "trunk zero", "+919876500004", LISTED),
    Row("00919876500005", "double zero", "+919876500005", LISTED),
    Row("0091 98765 00006", "double zero, spaces", "+919876500006", LISTED),
    Row("+91 98765 00007", "spaces", "+919876500007", LISTED),
    Row("+91-98765-00008", "dashes", "+919876500008", LISTED),
    Row("+91.98765.00009", "dots", "+919876500009", LISTED),
    Row("(+91) 98765 00010", "brackets around the code", "+919876500010", LISTED),
    Row("+91 (0) 98765 00011", "trunk zero in brackets", "+919876500011", LISTED),
    Row("+91 098765 00012", "trunk zero after the code", "+919876500012", LISTED),
    Row("98765\u00a000013", "no-break space", "+919876500013", LISTED),
    Row("98765\u200900014", "thin space", "+919876500014", LISTED),
    Row("98765\u201300015", "en dash", "+919876500015", LISTED),
    Row("98765\u221200016", "minus sign", "+919876500016", LISTED),
    Row("\u202a+919876500017\u202c", "direction marks from a copied contact", "+919876500017", LISTED),
    Row("\ufeff9876500018", "byte order mark", "+919876500018", LISTED),
    Row("98765\u200b00019", "zero-width space", "+919876500019", LISTED),
    Row("  9876500020\t", "padding", "+919876500020", LISTED),
    Row("９８７６５０００２１", "full-width digits", "+919876500021", LISTED),
    Row("＋９１９８７６５０００２２", "full-width plus", "+919876500022", LISTED),
    Row("९८७६५०००२३", "Devanagari digits", "+919876500023", LISTED),
    Row("৯৮৭৬৫০০০২৪", "Bengali digits", "+919876500024", LISTED),
    Row("٩٨٧٦٥٠٠٠٢٥", "Arabic-Indic digits", "+919876500025", LISTED),
    Row("౯౮౭౬౫౦౦౦౨౬", "Telugu digits", "+919876500026", LISTED),
    Row("tel:+919876500027", "tel", "+919876500027", LISTED),
    Row("TEL: +91-98765-00028", "shouted tel", "+919876500028", LISTED),
    Row("tel:98765-00029;phone-context=+91", "tel with context", "+919876500029", LISTED),
    Row("callto:+919876500030", "callto", "+919876500030", LISTED),
    Row("+91 98765 00031 ext. 12", "extension", "+919876500031", LISTED),
    Row("98765 00032 x12", "short extension", "+919876500032", LISTED),
    Row("98765 00033;ext=12", "RFC extension", "+919876500033", LISTED),
    Row("9876500034.0", "a float made of it", "+919876500034", LISTED),
    Row("919876500035.00", "a decimal made of it", "+919876500035", LISTED),
    Row("++919876500036", "two plus signs", "+919876500036", LISTED),
    Row("022 2778 1234", "a fixed line", "+912227781234", LISTED),
    Row("+91 (22) 2778-1235", "a fixed line in brackets", "+912227781235", LISTED),
    # Names that must arrive as they are.
    Row("9876500040", 'Asha "Ash" Rao, Sr.', "+919876500040", LISTED),
    Row("9876500041", "two\nlines\tand a tab", "+919876500041", LISTED),
    Row("9876500042", "=HYPERLINK(1)", "+919876500042", LISTED),
    Row("9876500043", "👩‍💻 नेहा", "+919876500043", LISTED),
    Row("9876500044", "محمد", "+919876500044", LISTED),
    Row("9876500045", "  padded  ", "+919876500045", LISTED),
    # The same people again.
    Row("+91 98765 00001", "again, in another spelling", "+919876500001", "duplicate"),
    Row("9876500003", "again, in the same spelling", "+919876500003", "duplicate"),
    # Nothing that can be called.
    Row(None, "NULL", None, "phone_missing"),
    Row("", "empty", None, "phone_missing"),
    Row("   ", "blank", None, "phone_missing"),
    Row("\u200b", "invisible", None, "phone_missing"),
    Row("N/A", "not available", None, "phone_unreadable", "letters"),
    Row("-", "dash", None, "phone_unreadable", "no digits"),
    Row("Asha Rao", "shifted column", None, "phone_unreadable", "letters"),
    Row("asha@example.com", "mail", None, "phone_unreadable", "letters"),
    Row("98765 00050 (Ravi)", "a remark", None, "phone_unreadable", "letters"),
    Row("1800-FLOWERS", "vanity number", None, "phone_unreadable", "letters"),
    Row("98765OO051", "letter O for zero", None, "phone_unreadable", "letters"),
    Row("9876500052, 9876500053", "two numbers", None, "phone_unreadable", "several"),
    Row("9876500054/55", "two numbers, abbreviated", None, "phone_unreadable", "several"),
    Row("9876500056 or 9876500057", "a choice", None, "phone_unreadable", "several"),
    Row("9.87655E+09", "spreadsheet", None, "phone_unreadable", "scientific"),
    Row("987650006", "a digit lost", None, "phone_invalid", "no such number"),
    Row("98765000611", "a digit too many", None, "phone_invalid", "no such number"),
    Row("98765", "half", None, "phone_not_dialable", "short code"),
    Row("+91 98765", "half, with code", None, "phone_invalid", "too short"),
    Row("+9198765000621234567", "far too long", None, "phone_invalid", "too long"),
    Row("0000000000", "filler", None, "phone_invalid"),
    Row("1111111111", "filler of ones", None, "phone_invalid"),
    Row("+0 9876500063", "no code starts with zero", None, "phone_invalid", "unknown calling code"),
    Row("447911123456", "another country without plus is a guess", None, "phone_invalid", "no such number"),
    Row("1800 123 4567", "toll-free", None, "phone_not_dialable", "toll-free"),
    Row("1861 123456789", "premium", None, "phone_not_dialable", "premium"),
    Row("1860 123 4567", "shared cost", None, "phone_not_dialable", "shared-cost"),
    Row("1401234567", "company-wide", None, "phone_not_dialable", "company-wide"),
    Row("112", "emergency", None, "phone_not_dialable", "emergency"),
    Row("100", "police", None, "phone_not_dialable", "emergency"),
    Row("139", "rail enquiry", None, "phone_not_dialable", "short code"),
    Row("+14155552671", "another country", "+14155552671", "other_country", "+1"),
    Row("0044 7911 123456", "another country, double zero", "+447911123456", "other_country", "+44"),
    # A good number is not enough.
    Row("9876500070", None, "+919876500070", "variable_empty", "callee_name"),
    Row("9876500071", "", "+919876500071", "variable_empty", "callee_name"),
    Row("9876500072", " \u00a0 ", "+919876500072", "variable_empty", "callee_name"),
    Row("9876500073", "bell\x07", "+919876500073", "text_not_sendable", "callee_name"),
    Row("9876500074", "escape\x1b[31m", "+919876500074", "text_not_sendable", "callee_name"),
    Row("9876500075", "delete\x7f", "+919876500075", "text_not_sendable", "callee_name"),
    Row("9876500076", "next line\x85", "+919876500076", "text_not_sendable", "callee_name"),
    # The first of two rows was left out, so the second is no duplicate.
    Row("9876500070", "named at last", "+919876500070", LISTED),
)
# fmt: on
