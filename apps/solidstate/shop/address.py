"""Where an order goes: what a customer has to tell, and what is wrong with what he told."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Field:
    """A field of the form; ``autocomplete`` is what browsers know it by."""

    id: str
    label: str
    missing: str
    characters_max: int
    autocomplete: str


FIELDS = (
    Field("name", "Name", "Tell us who the parcel is for.", 80, "name"),
    Field("email", "Email", "Tell us where to write to.", 120, "email"),
    Field("street", "Street and number", "Tell us the street.", 120, "street-address"),
    Field("postcode", "Postcode", "Tell us the postcode.", 12, "postal-code"),
    Field("town", "Town", "Tell us the town.", 80, "address-level2"),
)

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_POSTCODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{2,11}")


def read_address(fields: dict[str, str]) -> dict[str, str]:
    """Return what was typed, without spaces around it; no longer than what is refused."""
    return {
        one.id: " ".join(fields.get(one.id, "").split())[: one.characters_max + 1] for one in FIELDS
    }


def mistakes_of(address: dict[str, str]) -> dict[str, str]:
    """Return what is wrong, in the words for the customer, by the field."""
    found = {}
    for one in FIELDS:
        text = address.get(one.id, "")
        if not text:
            found[one.id] = one.missing
        elif len(text) > one.characters_max:
            found[one.id] = f"At most {one.characters_max} characters fit on the label."
        elif one.id == "email" and not _EMAIL.fullmatch(text):
            found[one.id] = "An email address looks like anna@example.org."
        elif one.id == "postcode" and not _POSTCODE.fullmatch(text):
            found[one.id] = "A postcode has 3 to 12 letters and digits."
    return found
