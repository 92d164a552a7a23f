"""How a report says numbers, docstrings and claims."""

import math

import pytest

from tegum.pages.words import expectation, number, prose, seconds
from tegum.report._gauge import gauge
from tegum.report._page import page
from tegum.report._parts import Drawing, Report, Section
from tegum.store import Claim


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "yes"), (0.0, "0"), (0.50341, "0.5034"), (-0.25, "−0.25"), (12.3456, "12.35"), (30522, "30\u202f522"),
        (3.2e-10, "3.2\u202f×\u202f10⁻¹⁰"), (-2e7, "−2\u202f×\u202f10⁷"), (math.nan, "not a number"), (-math.inf, "−∞"),
    ],
)  # fmt: skip
def test_numbers_keep_four_digits(value, said):
    assert number(value) == said


@pytest.mark.parametrize(
    ("expected", "said"), [((None, 0.05), "at most 0.05"), ((0.9, None), "at least 0.9"), ((1, 2), "1 to 2"), (False, "no")]
)
def test_open_ranges_are_said_in_words(expected, said):
    assert expectation(expected) == said


def test_durations_are_said_as_a_reader_would():
    assert [seconds(s) for s in (0, 0.25, 12.34, 100, 7260)] == ["under 1 ms", "250 ms", "12.3 s", "1 min 40 s", "2 h 01 min"]


def test_a_docstring_becomes_paragraphs_lists_code_and_links():
    said = prose("One `x < y` *very* long line of 2*x*y,\nstill one.\n\n- first\n  goes on\n- second https://a.org/b.\n\n    r = 2 < 3\n")
    assert said == (
        "<p>One <code>x &lt; y</code> <em>very</em> long line of 2*x*y, still one.</p><ul><li>first goes on</li>"
        '<li>second <a href="https://a.org/b" rel="noreferrer">https://a.org/b</a>.</li></ul><pre>r = 2 &lt; 3</pre>'
    )


def test_a_gauge_puts_estimate_and_interval_where_they_are():
    claim = Claim("s", 5.0, expected=2.0, tolerance=1.0, interval=(4.0, 6.0), reason="a range")
    drawn = gauge(claim)
    # the axis runs from 1 to 6 with 12 % beyond each end; 136 px of it lie within 7 px margins
    at = {x: round(7 + 136 * (x - 0.4) / 6.2, 1) for x in (1, 3, 4, 5, 6)}
    assert f'cx="{at[5]:.1f}"' in drawn
    assert f'x1="{at[4]:.1f}" x2="{at[6]:.1f}"' in drawn
    assert f'width="{at[3] - at[1]:.1f}"' in drawn


def test_a_yes_or_no_claim_and_a_missing_estimate_have_no_gauge():
    assert gauge(Claim("s", True, expected=True)) == ""
    assert gauge(Claim("s", math.nan, expected=1.0)) == ""


def test_a_report_of_nothing_says_what_to_do():
    html = page(Report(waiting=(("A1", "Five features", "tegum run five"),)))
    assert "Nothing has been run yet." in html
    assert "tegum reproduce" in html
    assert "plotly" not in html.partition("<style>")[0]


def test_a_figure_cannot_close_its_script():
    html = page(Report(sections=(Section("n", "t", figures=(Drawing('{"data": "</script><script>"}', "c"),)),)))
    assert html.count("<script") == html.count("</script>") == 3  # plotly's, the page's own, and the figure's data
