"""Device profiles: every file that ships is whole, and limits are judged at their edges."""

import pytest

from limbeck import profiles
from limbeck.errors import RecipeError


@pytest.mark.parametrize("name", profiles.names())
def test_every_profile_is_whole_and_says_where_its_limits_come_from(name):
    profile = profiles.named(name)
    assert profile.title
    assert profile.runtime
    assert len(profile.source) > 40
    assert profile.latency_ms is not None
    assert profile.size_kb is not None
    assert profile.memory_kb is not None


def test_there_is_a_handful():
    assert {"browser", "camera", "phone", "raspberry-pi", "thermostat"} <= set(profiles.names())


@pytest.mark.parametrize(("size", "fits"), [(10 * 1024, True), (10 * 1024 + 1, False), (0, True)])
def test_a_limit_may_be_met_exactly(size, fits):
    (finding,) = profiles.check(profiles.Profile(name="x", size_kb=10), size_bytes=size)
    assert finding.fits is fits
    assert ("fits" if fits else "exceeds") in str(finding)


def test_only_what_was_measured_and_is_limited_is_judged():
    profile = profiles.Profile(name="x", size_kb=10, latency_ms=2)
    assert profiles.check(profile) == []
    assert [f.name for f in profiles.check(profile, peak_memory_bytes=1, latency_ms=1.0)] == ["latency_ms"]


def test_latency_from_elsewhere_is_only_indicative():
    profile = profiles.Profile(name="x", size_kb=10, latency_ms=2)
    latency, size = profiles.check(profile, latency_ms=1.0, size_bytes=1)
    assert (latency.indicative, size.indicative) == (True, False)
    assert "indicative only" in str(latency)
    (there,) = profiles.check(profile, latency_ms=1.0, on_device=True)
    assert not there.indicative


def test_an_unknown_profile_names_the_nearest():
    with pytest.raises(RecipeError, match="did you mean phone"):
        profiles.named("fone")
