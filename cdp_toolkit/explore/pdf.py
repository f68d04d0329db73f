"""Pages as PDF, printed by a browser that is there already."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from cdp_toolkit.errors import ConfigError

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_LIMIT_S = 120


def to_pdf(page: Path) -> Path:
    """Print a page into a PDF beside it.

    Parameters
    ----------
    page
        An HTML file that needs no network.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    ConfigError
        If no browser is installed that can print, or it could not.
    """
    browser = next((found for name in _BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ConfigError(
            "No browser is there to print a PDF with.",
            where=str(page.name),
            hint="Install Chromium (`apt-get install chromium`) or Chrome; the HTML page says the same.",
        )
    out = page.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as own:
        done = subprocess.run(  # noqa: S603 - a program of ours, a file of ours
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             f"--user-data-dir={own}", "--no-pdf-header-footer",
             "--generate-pdf-document-outline", f"--print-to-pdf={out}", page.resolve().as_uri()],
            capture_output=True, text=True, timeout=_LIMIT_S, check=False,
        )  # fmt: skip
    if done.returncode or not out.is_file():
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "It said nothing.")
        raise ConfigError("The browser could not print the page.", where=page.name, hint=last)
    return out
