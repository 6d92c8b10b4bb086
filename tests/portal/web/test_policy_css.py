import re

import pytest
from flask import Flask, render_template_string
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.web import policy_css

channel = st.integers(0, 255)
colours = st.tuples(channel, channel, channel)
WHITE = (255, 255, 255)
BLACK = (0, 0, 0)


@settings(deadline=None)
@given(colours)
def test_every_colour_gets_an_ink_that_reads(colour):
    ink = policy_css.parse_colour(policy_css.ink_for(colour))
    assert policy_css.contrast(colour, ink) >= policy_css.LEAST_CONTRAST
    assert policy_css.contrast(colour, ink) == max(
        policy_css.contrast(colour, each) for each in (WHITE, BLACK)
    )


@settings(deadline=None)
@given(colours)
def test_text_in_the_colour_reads_on_white_paper(colour):
    text = policy_css.parse_colour(policy_css.text_for(colour))
    assert policy_css.contrast(text, WHITE) >= policy_css.LEAST_CONTRAST


@settings(deadline=None)
@given(colours)
def test_a_colour_that_reads_on_white_stays_as_it_is(colour):
    if policy_css.contrast(colour, WHITE) >= policy_css.LEAST_CONTRAST:
        assert policy_css.parse_colour(policy_css.text_for(colour)) == colour


@settings(deadline=None)
@given(colours, colours)
def test_contrast_is_symmetric_and_between_1_and_21(one, other):
    ratio = policy_css.contrast(one, other)
    assert ratio == policy_css.contrast(other, one)
    assert 1 <= ratio <= 21.0001


def test_contrast_agrees_with_published_figures():
    assert policy_css.contrast(BLACK, WHITE) == pytest.approx(21)
    assert policy_css.contrast(policy_css.parse_colour("#767676"), WHITE) == pytest.approx(4.54, abs=0.005)


@pytest.mark.parametrize(
    ("written", "colour"),
    [("green", (0, 128, 0)), ("Blue", (0, 0, 255)), ("fuschia", (255, 0, 255)), ("#B0142b", (176, 20, 43))],
)
def test_colours_read_as_the_policy_file_writes_them(written, colour):
    assert policy_css.parse_colour(written) == colour


@pytest.mark.parametrize(
    "written", ["", "rebeccapurple", "#fff", "#12345g", "red}body{display:none", "url(x)"]
)
def test_any_other_colour_is_refused(written):
    with pytest.raises(Invalid):
        policy_css.parse_colour(written)


def test_each_classification_has_one_rule():
    css = policy_css.stylesheet([(1, "green"), (2, "#e08a00"), (3, None)])
    assert re.findall(r'\[data-cls="(\d)"\]', css) == ["1", "2"]
    assert '[data-cls="2"]{--cls:#e08a00;--cls-ink:#000000;--cls-text:' in css


def test_a_number_that_stands_twice_is_refused():
    with pytest.raises(Invalid, match="twice"):
        policy_css.stylesheet([(1, "green"), (1, None)])


def address(app: Flask) -> str:
    """Return the address that templates are told."""
    with app.test_request_context():
        return render_template_string("{{ policy_css_url }}")


def test_the_sheet_is_kept_under_its_own_address_only():
    app = Flask("colours", static_folder=None)
    policy_css.install(app, lambda: [(1, "green")])
    url = address(app)
    client = app.test_client()
    kept = client.get(url)
    assert kept.mimetype == "text/css"
    assert "--cls:#008000" in kept.text
    assert "immutable" in kept.headers["Cache-Control"]
    assert client.get("/policy.css?v=before").headers["Cache-Control"] == "no-cache"


def test_a_new_policy_has_a_new_address_at_once():
    app = Flask("colours", static_folder=None)
    active = [(1, "green")]
    policy_css.install(app, lambda: active)
    before = address(app)
    assert address(app) == before
    active[:] = [(1, "navy")]
    assert address(app) != before
    assert "--cls:#000080" in app.test_client().get(address(app)).text
