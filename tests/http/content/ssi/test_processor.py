"""What the directives make of a page, and what becomes of their mistakes."""

from __future__ import annotations

from datetime import timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.http.content.ssi.grammar import ATTRIBUTES, Directive
from apps.http.content.ssi.limits import SsiLimits
from apps.http.content.ssi.loading import Document
from apps.http.content.ssi.processor import (
    KEPT_CHARS_MAX,
    KEPT_MAX,
    _kept_parts,
    process,
)
from tests.http.content.ssi.site import NOW, PAGE, E, Site, make, text

SECRET = "<!--#if expr='$user = root' -->secret<!--#else -->public<!--#endif -->"


def problem(source: str, files: dict[str, str | Document] | None = None) -> str:
    """The first mistake of a page."""
    return make(source, Site(files)).problems[0]


# echo


def test_echo_escapes_what_it_writes() -> None:
    assert text('<!--#echo var="q" -->', q="<script>\"&'") == "&lt;script&gt;&quot;&amp;&#x27;"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("entity", "a/&lt;é"), ("url", "a%2F%3C%C3%A9"), ("none", "a/<é")],
)
def test_echo_writes_as_it_is_told(encoding: str, expected: str) -> None:
    assert text(f'<!--#echo var="q" encoding="{encoding}" -->', q="a/<é") == expected


def test_echo_of_what_is_no_character_is_written_all_the_same() -> None:
    assert text('<!--#echo var="q" encoding="url" -->', q="\ud800") == "%3F"


def test_echo_refuses_an_encoding_nobody_knows() -> None:
    assert text('<!--#echo var="q" encoding="html" -->', q="<") == E
    assert "encoding is one of entity, url, none" in problem('<!--#echo var="q" encoding="x" -->')


def test_echo_of_nothing_says_so() -> None:
    assert text('<!--#echo var="q" -->') == "(none)"
    assert text('<!--#echo var="q" -->', q="") == ""


def test_echo_of_nothing_writes_its_default_escaped() -> None:
    assert text('<!--#echo var="q" default="<$p>" -->', p="x") == "&lt;x&gt;"


def test_a_value_is_not_read_for_directives() -> None:
    assert text('<!--#echo var="q" encoding="none" -->', q='<!--#echo var="p" -->') == (
        '<!--#echo var="p" -->'
    )


def test_a_value_is_not_read_for_variables() -> None:
    assert text('<!--#set var="x" value="$q" --><!--#echo var="x" -->', q="$q$p", p="!") == "$q$p"


# set


def test_set_puts_variables_in() -> None:
    page = '<!--#set var="x" value="$q-${q}z-$none-\\$q-$" --><!--#echo var="x" -->'
    assert text(page, q="1") == "1-1z--$q-$"


def test_set_hides_the_variable_of_the_request() -> None:
    assert text('<!--#set var="q" value="mine" --><!--#echo var="q" -->', q="theirs") == "mine"


@pytest.mark.parametrize("name", ["", "1a", "a-b", "a b", "$q", "ä", "x" * 129])
def test_set_refuses_a_name_that_is_none(name: str) -> None:
    assert "a variable's name has" in problem(f'<!--#set var="{name}" value="" -->')


def test_a_brace_that_is_not_closed_is_a_mistake() -> None:
    assert "has no }" in problem('<!--#set var="x" value="${q" -->')


def test_doubling_a_value_ends_at_its_bound() -> None:
    page = make(
        '<!--#set var="x" value="xxxxxxxx" -->' + '<!--#set var="x" value="$x$x" -->' * 40,
        limits=SsiLimits(value_chars_max=100),
    )
    assert "value_chars_max = 100" in page.problems[0]
    assert len(page.problems) == 32
    assert page.text == E * 37


def test_variables_are_bounded() -> None:
    page = make(
        "".join(f'<!--#set var="v{number}" value="" -->' for number in (1, 2, 2, 3)),
        limits=SsiLimits(variables_max=2),
    )
    assert page.text == E
    assert "variables_max = 2" in page.problems[0]


# if, elif, else, endif


@pytest.mark.parametrize(
    ("q", "expected"), [("1", "one"), ("2", "two"), ("3", "many"), ("", "many")]
)
def test_one_branch_is_shown(q: str, expected: str) -> None:
    page = (
        '<!--#if expr="$q = 1" -->one<!--#elif expr="$q = 2" -->two<!--#else -->many<!--#endif -->'
    )
    assert text(page, q=q) == expected


def test_of_two_branches_that_hold_the_first_is_shown() -> None:
    assert text('<!--#if expr="a" -->1<!--#elif expr="a" -->2<!--#else -->3<!--#endif -->4') == "14"


def test_branches_nest() -> None:
    inner = '<!--#if expr="$b" -->b<!--#else -->not b<!--#endif -->'
    page = f'<!--#if expr="$a" -->a {inner}<!--#else -->not a {inner}<!--#endif -->'
    assert [text(page, a="1", b="1"), text(page, a="1"), text(page, b="1"), text(page)] == [
        "a b",
        "a not b",
        "not a b",
        "not a not b",
    ]


def test_nothing_is_done_in_a_branch_that_is_not_shown() -> None:
    site = Site()
    page = make(
        '<!--#if expr="" a --><!--#endif --><!--#if expr="\'\'" --><!--#include file="a" -->'
        '<!--#set var="x" value="1" --><!--#wrong --><!--#if --><!--#elif --><!--#else x -->'
        '<!--#else --><!--#endif x --><!--#endif --><!--#echo var="x" -->',
        site,
    )
    assert page.text == f"{E}(none)"
    assert site.asked == []
    assert page.dependencies == frozenset()


def test_groups_of_a_regular_expression_are_variables() -> None:
    page = '<!--#if expr="$q = /(.)=(.*)/" --><!--#echo var="2" -->,${1}$0<!--#endif -->'
    assert text(page, q="a=<b") == "&lt;b,${1}$0"
    assert text(
        f'{page}<!--#set var="x" value="$0:${{1}}$9" --><!--#echo var="x" -->', q="a=b"
    ) == ("b,${1}$0a=b:a")


def test_groups_are_gone_after_a_match_that_failed() -> None:
    page = (
        '<!--#if expr="$q = /(.)/" --><!--#endif --><!--#if expr="$q = /(z)/" --><!--#endif -->'
        '<!--#echo var="1" -->'
    )
    assert text(page, q="a") == "(none)"


@pytest.mark.parametrize(
    "opening",
    [
        '<!--#if expr="$user = root &&" -->',
        '<!--#if expr="$user = /(/" -->',
        "<!--#if -->",
        '<!--#if exp="a" -->',
        '<!--#if expr="a -->',
        '<!--#if expr="$user = root" --><!--#elif expr="(" -->',
        '<!--#if expr="$user = root" --><!--#elif -->',
        '<!--#if expr="$user = ${root" -->',
    ],
)
def test_what_cannot_be_decided_shows_no_branch(opening: str) -> None:
    page = f'{opening}one<!--#elif expr="a" -->two<!--#else -->three<!--#endif -->, rest'
    assert text(page, user="ann") == f"{E}, rest"


def test_a_second_else_shows_nothing() -> None:
    page = "<!--#if expr=\"''\" -->a<!--#else -->b<!--#else -->c<!--#endif -->d"
    assert text(page) == f"b{E}d"
    assert "else after else" in problem(page)


def test_elif_after_else_shows_nothing() -> None:
    page = '<!--#if expr="\'\'" -->a<!--#else -->b<!--#elif expr="a" -->c<!--#endif -->d'
    assert text(page) == f"b{E}d"
    assert "elif after else" in problem(page)


def test_a_mistaken_else_shows_nothing() -> None:
    assert text("<!--#if expr=\"''\" -->a<!--#else x -->b<!--#endif -->c") == f"{E}c"


@pytest.mark.parametrize("name", ['elif expr="a"', "else", "endif"])
def test_a_branch_without_if_is_a_mistake(name: str) -> None:
    assert text(f"a<!--#{name} -->b") == f"a{E}b"
    assert f"{name.split()[0]} without if" in problem(f"<!--#{name} -->")


def test_an_if_without_end_is_a_mistake_told_at_the_if() -> None:
    page = make('a\n<!--#if expr="a" -->b')
    assert page.text == f"a\nb{E}"
    assert page.problems == ("/docs/page.shtml:2:1: if without endif",)


def test_ifs_without_end_that_are_not_shown_are_told_with_the_one_around_them() -> None:
    assert text('<!--#if expr="\'\'" --><!--#if expr="a" -->') == E


def test_a_mistaken_endif_ends_its_if_all_the_same() -> None:
    assert text("<!--#if expr=\"''\" -->a<!--#endif x -->b") == f"{E}b"


def test_branches_open_at_once_are_bounded() -> None:
    page = make('<!--#if expr="a" -->x' * 4, limits=SsiLimits(branches_max=3))
    assert page.text == f"xxx{E}"
    assert "branches_max = 3" in page.problems[0]


def test_a_value_cannot_open_a_branch() -> None:
    assert text(SECRET, user="root' || '1") == "public"


# include


def test_include_puts_a_document_in_its_place() -> None:
    assert text('a<!--#include virtual="/b" -->c', {"/b": "<b>"}) == "a<b>c"


@pytest.mark.parametrize(
    ("attribute", "path"),
    [
        ('file="a.txt"', "/docs/a.txt"),
        ('file="sub/a.txt"', "/docs/sub/a.txt"),
        ('file="50%41.txt"', "/docs/50%41.txt"),
        ('file="a..b"', "/docs/a..b"),
        ('virtual="a.txt"', "/docs/a.txt"),
        ('virtual="../a.txt"', "/a.txt"),
        ('virtual="%2e%2e/a.txt"', "/a.txt"),
        ('virtual="../../../a.txt"', "/a.txt"),
        ('virtual="/a%41.txt"', "/aA.txt"),
        ('virtual="sub/"', "/docs/sub/"),
        ('virtual="%C3%A9"', "/docs/é"),
        ('virtual="/cgi?x=1&y=%2e"', "/cgi?x=1&y=%2e"),
    ],
)
def test_an_address_is_seen_from_its_page(attribute: str, path: str) -> None:
    site = Site()
    make(f"<!--#include {attribute} -->", site)
    assert site.asked == [path]


def test_an_address_is_seen_from_a_page_with_an_unusual_name() -> None:
    site = Site()
    process('<!--#include virtual="a" -->', {}, site, NOW, path=("50%", "ü?#", "x"))
    assert site.asked == ["/50%/ü?#/a"]


@pytest.mark.parametrize(
    "attribute",
    [
        *('file="/etc/passwd"', 'file="../a"', 'file="a/../../b"', 'file=""', 'file="a//b"'),
        *('file="a/"', 'file="./a"', 'file="a\\b"', 'file="a\x00b"', 'file="$up"'),
        *('virtual=""', 'virtual="?a"', 'virtual="//host/a"', 'virtual="http://host/a"'),
        *('virtual="a%2fb"', 'virtual="a%00"', 'virtual="a%5cb"', 'virtual="a%"', 'virtual="a#b"'),
        'virtual="a?b#c"',
        *('virtual="a b"', 'virtual="é"', 'virtual="%ff"', 'virtual="a?b\r\nc"', 'virtual="a\\b"'),
        *('virtual="javascript:a"', 'virtual="/?$crlf"'),
    ],
)
def test_a_bad_address_never_comes_to_the_loader(attribute: str) -> None:
    site = Site()
    page = make(f"<!--#include {attribute} -->", site, up="../secret", crlf="a\r\nb")
    assert page.text == E
    assert site.asked == []
    assert page.dependencies == frozenset()


def test_variables_are_put_into_addresses() -> None:
    assert text('<!--#include file="$lang.txt" -->', {"/docs/en.txt": "hi"}, lang="en") == "hi"


def test_only_documents_that_are_to_be_processed_are() -> None:
    directive = '<!--#echo var="q" -->'
    files: dict[str, str | Document] = {"/a.shtml": directive, "/a.txt": directive}
    page = '<!--#include virtual="/a.shtml" -->,<!--#include virtual="/a.txt" -->'
    assert text(page, files, q="1") == f"1,{directive}"


def test_an_included_document_sees_its_own_directory() -> None:
    files: dict[str, str | Document] = {
        "/docs/sub/a.shtml": '<!--#include file="b" --><!--#include virtual="c" -->',
        "/docs/sub/b": "b",
        "/docs/sub/c": "c",
    }
    assert text('<!--#include file="sub/a.shtml" -->', files) == "bc"


def test_what_an_included_document_sets_its_includer_sees() -> None:
    files: dict[str, str | Document] = {"/a.shtml": '<!--#set var="x" value="1$x" -->'}
    page = '<!--#set var="x" value="2" --><!--#include virtual="/a.shtml" --><!--#echo var="x" -->'
    assert text(page, files) == "12"


def test_a_branch_ends_with_its_document() -> None:
    files: dict[str, str | Document] = {
        "/a.shtml": "<!--#if expr=\"''\" -->",
        "/b.shtml": "<!--#endif -->",
    }
    page = '<!--#include virtual="/a.shtml" -->x<!--#include virtual="/b.shtml" -->'
    assert text(page, files) == f"{E}x{E}"


def test_config_holds_in_its_document_and_those_it_includes() -> None:
    files: dict[str, str | Document] = {
        "/a.shtml": '<!--#x --><!--#config errmsg="A" --><!--#include virtual="/b.shtml" -->',
        "/b.shtml": "<!--#x -->",
    }
    page = '<!--#config errmsg="P" --><!--#include virtual="/a.shtml" --><!--#x -->'
    assert text(page, files) == "PAP"


def test_a_document_that_includes_itself_is_a_mistake() -> None:
    files: dict[str, str | Document] = {
        "/docs/page.shtml": "never asked for",
        "/docs/a.shtml": 'a<!--#include file="page.shtml" -->',
    }
    page = make('<!--#include file="a.shtml" -->', Site(files))
    assert page.text == f"a{E}"
    assert page.problems == (
        "/docs/a.shtml:1:2: the document includes itself: "
        "/docs/page.shtml -> /docs/a.shtml -> /docs/page.shtml",
    )


def test_a_query_makes_no_other_document_of_it() -> None:
    assert text('<!--#include virtual="page.shtml?again" -->', {"/docs/page.shtml": "x"}) == E


def test_a_document_may_be_included_twice_side_by_side() -> None:
    assert text('<!--#include virtual="/a" -->' * 2, {"/a": "a"}) == "aa"


def test_documents_open_at_once_are_bounded() -> None:
    files: dict[str, str | Document] = {
        f"/{n}.shtml": f'{n}<!--#include virtual="/{n + 1}.shtml" -->' for n in range(20)
    }
    page = make('<!--#include virtual="/0.shtml" -->', Site(files), SsiLimits(depth_max=4))
    assert page.text == f"012{E}"
    assert "depth_max = 4" in page.problems[0]


def test_documents_that_multiply_end_at_the_bound_of_loads() -> None:
    files: dict[str, str | Document] = {
        f"/{n}.shtml": f'<!--#include virtual="/{n + 1}.shtml" -->' * 2 for n in range(12)
    }
    site = Site(files)
    page = make('<!--#include virtual="/0.shtml" -->', site)
    assert len(site.asked) == 256
    assert page.text.endswith(E)


def test_what_is_not_there_is_a_mistake() -> None:
    assert problem('ab\nc<!--#include virtual="/x" -->') == "/docs/page.shtml:2:2: /x is not there"


# config, fsize, flastmod


def test_errmsg_is_what_mistakes_look_like() -> None:
    assert text('<!--#config errmsg="<b>oh</b>" --><!--#x -->') == "<b>oh</b>"


def test_echomsg_is_what_unknown_variables_look_like() -> None:
    assert text('<!--#config echomsg="?" --><!--#echo var="x" -->') == "?"


def test_config_takes_no_variables() -> None:
    assert text('<!--#config errmsg="$q" --><!--#x -->', q="<script>") == "$q"


def test_fsize_writes_the_size_as_configured() -> None:
    page = '<!--#fsize file="a" -->,<!--#config sizefmt="bytes" --><!--#fsize virtual="/docs/a" -->'
    assert text(page, {"/docs/a": "x" * 1536}) == "1.5K,1,536"


def test_flastmod_writes_the_time_as_configured() -> None:
    page = '<!--#flastmod file="a" -->,<!--#config timefmt="%F %T" --><!--#flastmod file="a" -->'
    assert text(page, {"/docs/a": ""}) == "Sunday, 06-Nov-1994 08:49:37 GMT,1994-11-06 08:49:37"


@pytest.mark.parametrize("name", ["fsize", "flastmod"])
def test_facts_of_what_is_not_there_are_a_mistake(name: str) -> None:
    assert text(f'<!--#{name} file="a" -->') == E


@pytest.mark.parametrize("attribute", ['timefmt="%Q"', 'timefmt="%"', 'sizefmt="kilo"'])
def test_config_refuses_what_it_does_not_know(attribute: str) -> None:
    page = f'<!--#config {attribute} --><!--#fsize file="a" -->'
    assert text(page, {"/docs/a": "xyz"}) == f"{E}3"


# built in variables, printenv


def test_built_in_variables_tell_of_the_page_asked_for() -> None:
    inner = '<!--#echo var="DOCUMENT_URI" -->,<!--#echo var="DOCUMENT_NAME" -->'
    assert text('<!--#include virtual="/a.shtml" -->', {"/a.shtml": inner}) == (
        "/docs/page.shtml,page.shtml"
    )


def test_dates_are_of_the_zone() -> None:
    page = process(
        '<!--#config timefmt="%R %z" --><!--#echo var="DATE_GMT" -->, '
        '<!--#echo var="DATE_LOCAL" -->, <!--#echo var="LAST_MODIFIED" -->',
        {},
        Site(),
        NOW,
        modified=NOW - 60,
        zone=timezone(timedelta(hours=-3, minutes=-30)),
    )
    assert page.text == "08:49 +0000, 05:19 -0330, 05:18 -0330"


def test_a_page_of_unknown_age_has_no_last_modified() -> None:
    assert text('<!--#echo var="LAST_MODIFIED" -->') == "(none)"


def test_printenv_lists_every_variable_escaped() -> None:
    page = '<!--#set var="b" value="2" --><!--#config timefmt="%Y" --><!--#printenv -->'
    assert text(page, a="<1>") == (
        "DATE_GMT=1994\nDATE_LOCAL=1994\nDOCUMENT_NAME=page.shtml\n"
        "DOCUMENT_URI=/docs/page.shtml\na=&lt;1&gt;\nb=2\n"
    )


# call


def called(source: str, answer: Document, **environment: str) -> tuple[str, list[str]]:
    """What a page makes of an answer, and what it asked for."""
    site = Site()
    site.answers["ships.list"] = answer
    return make(source, site, None, **environment).text, site.asked


def test_call_takes_its_text_from_a_method() -> None:
    page = '<!--#call object="ships" method="list" arg="$q" arg="b c" -->'
    assert called(page, Document("3"), q="1") == ("3", ["ships.list(1, b c)"])


def test_call_escapes_what_it_gets() -> None:
    page = '<!--#call object="ships" method="list" -->'
    assert called(page, Document("<li>"))[0] == "&lt;li&gt;"


def test_call_writes_html_if_it_is_told() -> None:
    page = '<!--#call object="ships" method="list" encoding="none" -->'
    assert called(page, Document("<li>"))[0] == "<li>"


def test_what_a_method_answers_is_not_read_for_directives() -> None:
    page = '<!--#call object="ships" method="list" encoding="none" -->'
    answer = Document('<!--#echo var="q" -->', processed=True)
    assert called(page, answer)[0] == '<!--#echo var="q" -->'


def test_no_variable_says_whom_to_call() -> None:
    page = '<!--#call object="$q" method="$q" -->'
    assert called(page, Document(""), q="list")[1] == ["$q.$q()"]


def test_nobody_is_called_when_the_encoding_is_wrong() -> None:
    page = '<!--#call object="ships" method="list" encoding="x" -->'
    assert called(page, Document("")) == (E, [])


def test_a_call_that_fails_is_a_mistake() -> None:
    assert problem('<!--#call object="ships" method="list" -->') == (
        "/docs/page.shtml:1:1: no object ships"
    )


# What has to be known to keep a page


def test_a_page_depends_on_all_it_named() -> None:
    files: dict[str, str | Document] = {
        "/a.shtml": '<!--#include virtual="/b" -->',
        "/b": "",
        "/d": "",
    }
    page = make(
        '<!--#include virtual="/a.shtml?q" --><!--#fsize virtual="/d" -->'
        '<!--#flastmod virtual="/d" --><!--#include file="missing" -->',
        Site(files),
    )
    assert page.dependencies == {("a.shtml",), ("b",), ("d",), ("docs", "missing")}


def test_a_page_of_files_is_good_until_they_change() -> None:
    assert make('<!--#include virtual="/a" -->', Site({"/a": ""})).expires is None


def test_a_page_is_good_as_long_as_its_pieces() -> None:
    files = {f"/{n}": Document("", expires=NOW + n) for n in (9, 5, 7)}
    page = "".join(f'<!--#include virtual="/{n}" -->' for n in (9, 5, 7))
    assert make(page, Site(files)).expires == NOW + 5


def test_a_page_with_a_date_is_good_until_the_second_ends() -> None:
    assert make('<!--#if expr="$DATE_GMT" --><!--#endif -->').expires == 784_111_778


@pytest.mark.parametrize(
    "source",
    [
        "<!--#printenv -->",
        '<!--#include file="missing" -->',
        '<!--#call object="o" method="fails" -->',
        '<!--#call object="o" method="m" -->',
    ],
)
def test_a_page_is_not_kept_when_it_may_change_any_time(source: str) -> None:
    site = Site()
    site.answers["o.m"] = Document("")
    assert make(source, site).expires == NOW


def test_an_answer_that_is_good_for_longer_lets_the_page_be_kept() -> None:
    site = Site()
    site.answers["o.m"] = Document("", expires=NOW + 30)
    assert make('<!--#call object="o" method="m" -->', site).expires == NOW + 30


def test_a_page_names_the_variables_it_asked_for() -> None:
    page = (
        '<!--#set var="own" value="$a" --><!--#echo var="own" -->'
        '<!--#if expr="$b && $none || $c = /(.)/" --><!--#echo var="1" --><!--#endif -->'
    )
    assert make(page, a="1", b="1", c="1", d="1").variables == {"a", "b", "none", "c"}


def test_a_variable_is_named_when_it_was_asked_for_before_it_was_set() -> None:
    page = make('<!--#echo var="a" --><!--#set var="a" value="" --><!--#echo var="a" -->', a="1")
    assert page.variables == {"a"}


def test_printenv_asks_for_every_variable() -> None:
    assert make("<!--#printenv -->", a="1").variables >= {"a"}


# Bounds of the whole page


def test_the_page_ends_at_its_longest_length() -> None:
    limits = SsiLimits(output_chars_max=20, value_chars_max=20)
    page = make('0123456789<!--#echo var="q" -->' * 3 + "rest", limits=limits, q="abcde")
    assert page.text == f"0123456789abcde{E}"
    assert page.problems == ("/docs/page.shtml:1:1: longer than output_chars_max = 20 characters",)


def test_escaped_characters_count_as_they_are_written() -> None:
    limits = SsiLimits(output_chars_max=20, value_chars_max=20)
    assert make('<!--#echo var="q" -->', limits=limits, q="<" * 6).text == E


def test_an_answer_longer_than_the_page_may_be_ends_it() -> None:
    site = Site()
    site.answers["o.m"] = Document("<" * 21)
    limits = SsiLimits(output_chars_max=20, value_chars_max=20)
    assert make('<!--#call object="o" method="m" -->', site, limits).text == E


def test_the_page_ends_after_its_last_step() -> None:
    page = make('<!--#echo var="q" -->' * 9, limits=SsiLimits(steps_max=5), q="1")
    assert page.text == f"11111{E}"
    assert "steps_max = 5" in page.problems[0]


def test_directives_that_are_not_shown_are_steps_too() -> None:
    page = "<!--#if expr=\"''\" -->" + "<!--#x -->" * 9 + "<!--#endif -->rest"
    assert make(page, limits=SsiLimits(steps_max=5)).text == E


def test_a_long_directive_counts_by_its_length() -> None:
    page = f'<!--#set var="x" value="{"a" * 500}" -->rest'
    assert make(page, limits=SsiLimits(steps_max=4)).text == "rest"
    assert make(page, limits=SsiLimits(steps_max=3)).text == E


def test_a_match_counts_by_the_length_of_its_text() -> None:
    page = '<!--#if expr="$q = /x/" --><!--#endif -->rest'
    assert make(page, limits=SsiLimits(steps_max=26), q="a" * 160).text == "rest"
    assert make(page, limits=SsiLimits(steps_max=25), q="a" * 160).text == E


def test_only_the_first_mistakes_are_told() -> None:
    page = make("<!--#x -->" * 100)
    assert page.text == E * 100
    assert len(page.problems) == 32


# Whatever comes


WORDS = st.sampled_from(
    [
        *(f"<!--#{name}" for name in ATTRIBUTES),
        *(f' {name}="' for name in ("var", "value", "expr", "file", "virtual", "arg", "encoding")),
        *("a", "$a", "${a}", "$1", "../", "/", "/a.shtml", "b", "?", "%2e", "%", "=", "!=", "<"),
        *("(", ")", "!", "&&", "||", '"', "'", "`", "\\", "-->", '" -->', " -->", " ", "\n", "é"),
        *("url", "none", "/(.)/", "\udc80", "\x00", "timefmt", "%Y"),
    ]
)
FEW = SsiLimits(output_chars_max=10_000, value_chars_max=200, steps_max=300, loads_max=20)


@settings(max_examples=300)
@given(
    st.lists(WORDS, max_size=40).map("".join),
    st.lists(WORDS, max_size=20).map("".join),
    st.text(max_size=20),
)
def test_any_source_gives_a_page(source: str, included: str, value: str) -> None:
    site = Site({"/a.shtml": included, "/docs/b": "b"})
    page = make(source, site, FEW, a=value)
    assert len(page.text) <= FEW.output_chars_max + 1000
    assert (E in page.text) == bool(page.problems) or E in value


@given(st.text())
def test_any_text_gives_a_page(source: str) -> None:
    assert make(source).text == source or "<!--#" in source


@given(st.text())
def test_no_value_comes_out_as_html(value: str) -> None:
    page = text(
        '<!--#echo var="a" --><!--#set var="b" value="$a" --><!--#echo var="b" default="$a" -->'
        '<!--#if expr="$a = /(.*)/" --><!--#echo var="1" --><!--#endif -->'
        '<!--#include virtual="/$a" --><!--#echo var="a" encoding="url" -->',
        a=value,
    )
    assert not set("<>\"'") & set(page)


@given(st.text())
def test_no_value_leads_to_another_directory(value: str) -> None:
    site = Site()
    make('<!--#include file="sub/$a" -->', site, a=value)
    assert all(path.startswith("/docs/sub/") for path in site.asked)
    # A name may begin with two dots; it is not two dots.
    assert not any(".." in path.split("/") for path in site.asked)


@pytest.mark.parametrize("chars", [0, KEPT_CHARS_MAX])
def test_a_page_with_a_mistake_is_the_same_each_time(chars: int) -> None:
    source = "x" * chars + '<!--#nothing -->, <!--#if expr="(" -->a<!--#else -->b<!--#endif -->'
    pages = [make(source) for _ in range(3)]
    assert pages[0] == pages[1] == pages[2]
    assert len(pages[0].problems) == 2


def test_what_is_kept_of_a_document_does_not_grow_with_each_page_made_of_it() -> None:
    source = "<!--#nowhere --><!--#if -->a<!--#endif -->"
    for _ in range(3):
        make(source)
    mistakes = [
        part.mistake for part in _kept_parts(source, SsiLimits()) if isinstance(part, Directive)
    ]
    assert [None if one is None else one.__traceback__ for one in mistakes] == [None] * 3
    assert sum(one is not None for one in mistakes) == 2
    assert _kept_parts.cache_info().maxsize == KEPT_MAX


def test_the_page_is_where_the_tests_say() -> None:
    assert PAGE == ("docs", "page.shtml")
