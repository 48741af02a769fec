"""The book in a headless browser; skipped where no Chromium is installed.

A page is measured by a script that is added to a copy of it: the size of its mathematics, what
sticks out to the right, and where a click on a number arrives.
"""
import json
import re
import shutil
import subprocess

import pytest

from refsm.study import book

BROWSER = next((found for name in ("chromium", "chromium-browser", "google-chrome")
                if (found := shutil.which(name))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium here")]

PAGES = ["index.html", "room.energies.autoencoder.html", "room.objectives.denoising.html",
         "room.energies.mixture.html", "room.corruption.html", "statements.html", "map.html",
         "notation.html", "exercises.html", "names.html", "name.AutoencoderEnergy.html",
         "demos.html", "demo.09_verify.html", "demo.12_diffusion.html"]
MEASURE = """<script>
window.addEventListener("load", () => {
  const wide = document.documentElement.clientWidth;
  const flat = [...document.querySelectorAll("article math, main math")].filter(one => {
    const box = one.getBoundingClientRect(); return !(box.width > 0 && box.height > 0); }).length;
  const number = document.querySelector('#e14 .num[href="#d14"]');
  let arrived = "";
  if (number) {
    number.click();
    const step = document.querySelector(location.hash + ":target");
    const way = step.getAttribute("href");
    step.click();
    const line = document.querySelector(way);
    const box = line.getBoundingClientRect();
    const inside = box.top >= 0 && box.bottom <= innerHeight;
    arrived = location.hash + (inside ? " seen " : " hidden ") + line.textContent.slice(0, 60);
  }
  const out = {wide, page: document.documentElement.scrollWidth, flat, arrived,
               math: document.querySelectorAll("math").length};
  document.documentElement.setAttribute("data-measured", JSON.stringify(out));
});
</script>"""


REPORT = """<script>
window.onload = () => setTimeout(() => {
  const inner = document.getElementById("f").contentDocument.documentElement;
  document.body.setAttribute("data-found", inner.getAttribute("data-measured"));
}, 200);
</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("browser") / "book"
    book.build(target)
    return target


def measured(folder, page, width):
    """What the script finds; the page stands in a frame of that width, however wide the window."""
    inner = folder / f"measured-{page}"
    text = (folder / page).read_text().replace("</body>", f"{MEASURE}</body>")
    inner.write_text(text)
    outer = folder / f"frame-{page}"
    frame = f'<iframe id="f" src="{inner.name}" width="{width}" height="900" style="border:0">'
    outer.write_text(f"{frame}</iframe>{REPORT}")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu",
               "--allow-file-access-from-files", "--window-size=1500,1000",
               "--virtual-time-budget=4000", "--dump-dom", outer.as_uri()]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120).stdout
    found = re.search(r'data-found="([^"]*)"', said)
    assert found, "the page did not draw"
    return json.loads(found[1].replace("&quot;", '"').replace("&amp;", "&"))


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_draws_its_mathematics_and_nothing_overflows(folder, page, width):
    found = measured(folder, page, width)
    assert found["wide"] in range(width - 20, width + 1)
    assert found["page"] <= width
    assert found["flat"] == 0
    assert found["math"] > 0 or not page.startswith("room")


@pytest.mark.parametrize("width", [390, 1400])
def test_a_click_on_a_number_and_on_that_of_its_derivation_arrives_at_its_line(folder, width):
    arrived = measured(folder, "room.energies.autoencoder.html", width)["arrived"]
    assert re.match(r"#L\d+ seen ", arrived)
    assert "dW = " in arrived
