"""The cart: what the forms of the shop do, and what its pages show."""

from __future__ import annotations

import pytest

import vista
from apps.solidstate.shop.address import FIELDS, mistakes_of
from apps.solidstate.shop.book import BOOK_ORDERS_MAX, LISTED_MAX
from apps.solidstate.shop.cart import COUNT_MAX, ORDERS_MAX
from apps.solidstate.shop.goods import FREE_FROM_CENTS, GOODS, SENDING_CENTS, price, sending
from apps.solidstate.shop.moments import day_of
from tests.solidstate.shop.customers import ADDRESS, Customer, make_book, run


@pytest.fixture
def anna() -> Customer:
    """Somebody with a kettle and two mugs in her cart."""
    made = Customer()
    for id in ("kettle", "mug", "mug"):
        made.send({"add": id})
    return made


def test_what_is_added_is_in_the_cart_and_is_told(anna: Customer) -> None:
    shown = anna.go({"add": "mug"})
    assert (shown["added"], shown["cart_count"]) == ("Deck mug", 4)
    assert [(row["id"], row["count"]) for row in anna.show("cart.html")["lines"]] == [
        ("kettle", "1"), ("mug", "3"),
    ]  # fmt: skip


def test_the_cart_has_the_sums(anna: Customer) -> None:
    shown = anna.show("cart.html")
    assert shown["goods_price"] == "€53.60"
    assert shown["sending_price"] == "€4.90"
    assert shown["total_price"] == "€58.50"
    assert shown["missing_price"] == "€6.40"


def test_sending_is_free_from_sixty_on() -> None:
    assert [sending(cents) for cents in (0, 1, FREE_FROM_CENTS - 1, FREE_FROM_CENTS)] == [
        0, SENDING_CENTS, SENDING_CENTS, 0,
    ]  # fmt: skip


def test_prices_have_two_digits_behind_the_point() -> None:
    assert [price(cents) for cents in (5, 980, 123_456)] == ["€0.05", "€9.80", "€1,234.56"]


def test_a_thing_is_taken_out(anna: Customer) -> None:
    shown = anna.go({"remove": "mug"})
    assert (shown["removed"], shown["cart_count"]) == ("Deck mug", 1)


def test_what_is_not_in_the_cart_is_not_taken_out(anna: Customer) -> None:
    assert anna.send({"remove": "tea"}) == ("cart.html", {})


def test_quantities_are_set_and_nought_takes_out(anna: Customer) -> None:
    shown = anna.go({"do": "update", "count-kettle": "0", "count-mug": " 5 "})
    assert shown["updated"]
    assert [(row["id"], row["count"]) for row in shown["lines"]] == [("mug", "5")]


@pytest.mark.parametrize(
    "typed", ["", "many", "-1", "1.5", str(COUNT_MAX + 1), "\uff19", "9" * 500]
)
def test_a_quantity_that_is_none_is_told_at_its_field(anna: Customer, typed: str) -> None:
    shown = anna.go({"do": "update", "count-kettle": typed, "count-mug": "3"})
    rows = {row["id"]: row for row in shown["lines"]}
    assert rows["kettle"]["wrong"] == f"A whole number from 0 to {COUNT_MAX}, please."
    assert rows["kettle"]["count"] == typed[:12]
    assert (rows["mug"]["count"], rows["mug"]["wrong"]) == ("3", "")
    assert anna.show("cart.html")["lines"][0]["count"] == "1"


def test_more_than_a_cart_takes_of_one_thing_is_refused() -> None:
    ben = Customer()
    shown = [ben.go({"add": "tea"}) for _ in range(COUNT_MAX + 1)][-1]
    assert (shown["added"], shown["cart_count"]) == ("", COUNT_MAX)
    assert shown["full"] == f"A cart takes {COUNT_MAX} of Black tea at most."


@pytest.mark.parametrize("fields", [{"add": "boat"}, {}, {"do": "dance"}])
def test_a_form_that_means_nothing_is_refused(anna: Customer, fields: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"\."):
        anna.send(fields)
    assert anna.show("index.html")["cart_count"] == 3


# --- the till ------------------------------------------------------------------------------


def test_an_order_empties_the_cart_and_is_sent_to_the_book(anna: Customer) -> None:
    shown = anna.go({"do": "order", **ADDRESS})
    assert (shown["new"], shown["cart_count"]) == (True, 0)
    assert shown["order_total"] == "€58.50"
    [(target, method, (order,))] = anna.posted
    assert (target, method) == ("orders", "place")
    assert order["number"] == shown["number"]
    assert order["items"] == {"kettle": 1, "mug": 2}
    assert [row["number"] for row in anna.show("orders.html")["orders"]] == [order["number"]]


def test_an_order_again_without_a_cart_is_none(anna: Customer) -> None:
    anna.send({"do": "order", **ADDRESS})
    assert anna.send({"do": "order", **ADDRESS}) == ("cart.html", {})
    assert len(anna.posted) == 1


def test_the_newest_order_stands_first(anna: Customer) -> None:
    first = anna.go({"do": "order", **ADDRESS})["number"]
    anna.send({"add": "tea"})
    second = anna.go({"do": "order", **ADDRESS})["number"]
    assert first != second
    assert [row["number"] for row in anna.show("orders.html")["orders"]] == [second, first]


@pytest.mark.parametrize("field", [one.id for one in FIELDS])
def test_what_is_missing_is_told_at_its_field_and_nothing_is_ordered(
    anna: Customer, field: str
) -> None:
    shown = anna.go({"do": "order", **ADDRESS, field: "  "})
    rows = {row["id"]: row for row in shown["fields"]}
    assert [id for id, row in rows.items() if row["wrong"]] == [field]
    assert [row["id"] for row in shown["mistakes"]] == [field]
    assert {id: row["value"] for id, row in rows.items()} == {**ADDRESS, field: ""}
    assert anna.posted == []
    assert anna.show("cart.html")["cart_count"] == 3


@pytest.mark.parametrize("email", ["anna", "anna@", "@example.org", "a b@example.org", "a@b"])
def test_an_email_address_that_is_none_is_told(email: str) -> None:
    assert list(mistakes_of({**ADDRESS, "email": email})) == ["email"]


@pytest.mark.parametrize("postcode", ["2", "24103 " * 4, "24-103!", "<b>"])
def test_a_postcode_that_is_none_is_told(postcode: str) -> None:
    assert list(mistakes_of({**ADDRESS, "postcode": postcode})) == ["postcode"]


def test_what_is_too_long_for_a_label_is_told_and_not_kept_whole(anna: Customer) -> None:
    shown = anna.go({"do": "order", **ADDRESS, "name": "A" * 10_000})
    [mistake] = shown["mistakes"]
    assert mistake == {"id": "name", "words": "At most 80 characters fit on the label."}
    assert len(anna.cart.address["name"]) == 81


def test_an_order_of_somebody_else_is_not_shown(anna: Customer) -> None:
    number = anna.go({"do": "order", **ADDRESS})["number"]
    with pytest.raises(ValueError, match=r"no order of that number"):
        Customer().show("order.html", number=number)


@pytest.mark.parametrize("page", ["head.html", "top.html", "foot.html", "error.html"])
def test_a_part_of_pages_is_no_page(anna: Customer, page: str) -> None:
    with pytest.raises(ValueError, match=r"^There is no such page here\.$"):
        anna.show(page)


def test_a_session_makes_no_end_of_orders() -> None:
    ben = Customer()
    for _ in range(ORDERS_MAX):
        ben.send({"add": "tea"})
        ben.send({"do": "order", **ADDRESS})
    ben.send({"add": "tea"})
    with pytest.raises(ValueError, match=rf"You have made {ORDERS_MAX} orders"):
        ben.send({"do": "order", **ADDRESS})
    assert ben.show("cart.html")["cart_count"] == 1


def test_days_are_written_the_same_in_every_country() -> None:
    assert day_of(1_700_000_000) == "14 November 2023, 22:13 UTC"


# --- the book ------------------------------------------------------------------------------


def test_an_order_that_comes_twice_is_in_the_book_once(anna: Customer) -> None:
    anna.send({"do": "order", **ADDRESS})
    [(_, method, (order,))] = anna.posted
    book = make_book()
    assert [run(book, method, order, "k")[0] for _ in range(2)] == [True, False]
    assert run(book, "list_orders")[0] == [order]


def test_two_carts_may_draw_one_number() -> None:
    book = make_book()
    anna, bert = {"number": "A", "for": "Anna"}, {"number": "A", "for": "Bert"}
    assert run(book, "place", anna, "1")[0] and run(book, "place", bert, "2")[0]
    assert run(book, "take_out", "A")[0] == anna
    assert run(book, "list_orders")[0] == [bert]


@pytest.mark.parametrize("order", [None, {}, {"number": 7}, ["number"], "number"], ids=str)
def test_what_is_no_order_does_not_stand_before_others_in_the_book(order: object) -> None:
    book = make_book()
    with pytest.raises(vista.BadValueError, match=r"^an order is a dict with the text of its num"):
        run(book, "place", order, "1")
    run(book, "place", {"number": "A"}, "2")
    assert run(book, "take_out", "A")[0] == {"number": "A"}


def test_an_order_that_is_not_in_the_book_is_not_taken_out() -> None:
    with pytest.raises(KeyError, match=r"'B'"):
        run(make_book(), "take_out", "B")


def test_an_order_that_was_sent_does_not_come_back() -> None:
    book = make_book()
    order = {"number": "A"}
    run(book, "place", order, "key")
    assert run(book, "take_out", "A")[0] == order
    assert run(book, "place", order, "key")[0] is False
    assert run(book, "count_orders")[0] == 0


def test_a_full_book_has_orders_sent_again_later() -> None:
    book = make_book()
    book.waiting = {str(number): {} for number in range(BOOK_ORDERS_MAX)}
    with pytest.raises(vista.Overloaded, match=r"take out those that were sent"):
        run(book, "place", {"number": "one more"}, "key")
    assert len(run(book, "list_orders", -5, 10_000)[0]) == LISTED_MAX


def test_numbers_of_orders_that_were_sent_are_forgotten_in_the_end() -> None:
    book = make_book()
    book.gone = {str(number): None for number in range(BOOK_ORDERS_MAX)}
    run(book, "place", {"number": "A"}, "key")
    run(book, "take_out", "A")
    assert "key" in book.gone
    assert len(book.gone) == BOOK_ORDERS_MAX
    assert "0" not in book.gone


def test_every_good_has_a_picture_and_a_price() -> None:
    assert len(GOODS) == 12
    assert all(one.cents > 0 and one.picture and one.words for one in GOODS.values())
