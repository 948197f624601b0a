"""The power spectrum of three centuries of sunspots, and which years its peak comes from.

Run it alone: python examples/spectrum.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

import staticgraph as sg

EAGER = """
The transform has a derivative like any other operation: how much each year adds to the peak is one
fetch more, and the run computes one transform for both. Eagerly it would be a tape and a second
pass, asked for before it is known whether anybody wants it.
"""

SERIES = Path(__file__).parent / "sunspots.csv"


def plot(
    path: Path, years: Any, spots: Any, periods: Any, power: Any, share: Any, likeness: Any
) -> None:
    """The series, its spectrum, and the years' shares in the peak."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    (series, spectrum), (shares, echo) = figure.subplots(2, 2, width_ratios=(3, 2))
    series.plot(years, spots, color="#2d3748", linewidth=1)
    series.set(title="sunspot number")
    spectrum.plot(periods[1:], power[1:], ".-", color="#2166ac", markersize=3, linewidth=1)
    spectrum.set(xscale="log", xlabel="period in years", title="power")
    spectrum.set_xticks([3, 5, 8, 11, 20, 50, 100], ["3", "5", "8", "11", "20", "50", "100"])
    spectrum.minorticks_off()
    shares.bar(years, share, width=1.0, color="#b2182b")
    shares.set(xlabel="year", title="what a spot more in a year adds to the peak")
    lags = np.arange(40)
    echo.plot(lags, likeness[:40] / likeness[0], color="#2166ac")
    echo.set(xlabel="years apart", title="likeness of years")
    for axes in (series, spectrum, shares, echo):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150)


def main(output: Path) -> dict[str, Any]:
    """Finds the period of the peak, compares with NumPy, draws, and returns the figures."""
    output.mkdir(parents=True, exist_ok=True)
    table = np.loadtxt(SERIES, delimiter=",", skiprows=4)
    years, spots = table[:, 0].astype(int), table[:, 1]
    with sg.Graph().as_default() as graph:
        series = sg.placeholder("float64", (len(spots),), name="series")
        # Without its mean, and faded out at both ends, so that no jump is heard as a tone.
        window = sg.constant(np.hanning(len(spots)), name="window")
        waves = sg.fft.rfft((series - sg.mean(series)) * window)
        power = sg.real(waves) ** 2 + sg.imag(waves) ** 2
        peak, place = sg.max(power), sg.argmax(power)
        (share,) = sg.gradients(peak, series)
        likeness = sg.fft.irfft(power, n=len(spots))
        graph.finalize()
    with sg.Session(graph) as session:
        found, where, slope, echo = session.run([power, place, share, likeness], {series: spots})
    periods = np.concatenate([[np.inf], len(spots) / np.arange(1, len(found))])
    tapered = (spots - spots.mean()) * np.hanning(len(spots))
    expected = np.abs(np.fft.rfft(tapered)) ** 2
    off = float(np.abs(found - expected).max() / expected.max())
    # The sum of squares is the same on both sides of the transform (Parseval).
    doubled = np.where(np.arange(len(found)) == 0, 1.0, 2.0)
    if len(spots) % 2 == 0:
        doubled[-1] = 1.0
    energy = float((found * doubled).sum() / len(spots) / (tapered**2).sum())
    print(f"{len(spots)} years; the peak is at {periods[where]:.1f} years")
    print(f"largest difference from NumPy's spectrum: {off:.1e} of the peak")
    print(f"energy after the transform over energy before: {energy:.12f}")
    print(EAGER)
    picture = output / "spectrum.png"
    plot(picture, years, spots, periods, found, slope, echo)
    print(f"wrote {picture}")
    return {"period": float(periods[where]), "off": off, "energy": energy, "slope": slope,
            "power": found, "likeness": echo}  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "output")
