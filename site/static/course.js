// Explorers that move without a kernel, and boxes that scroll by keyboard. No dependency.
"use strict";

function explorer(figure) {
  const data = JSON.parse(figure.querySelector("script").textContent);
  const controls = [...figure.querySelectorAll("input, select")];
  const first = figure.querySelector("img.first");
  const frames = new Map(data.places.map((place, number) => [place.join(), number]));
  const loaded = new Map();
  let asked = 0;

  const read = control => control.type === "checkbox" ? Number(control.checked)
    : control.tagName === "SELECT" ? control.selectedIndex : Number(control.value);

  function write(control, place, names) {
    if (control.type === "checkbox") control.checked = Boolean(place);
    else if (control.tagName === "SELECT") control.selectedIndex = place;
    else {
      control.value = place;
      control.setAttribute("aria-valuetext", names[place]);
      control.nextElementSibling.value = names[place];
    }
  }

  function frame(file) {
    if (!loaded.has(file)) {
      const image = new Image();
      image.className = "course-picture over";
      image.alt = "";
      image.src = `${data.folder}/${file}`;
      loaded.set(file, image);
    }
    return loaded.get(file);
  }

  async function show() {
    const number = frames.get(controls.map(read).join());
    const file = data.files[number];
    const turn = ++asked;
    let image = null;
    if (file) {
      image = frame(file);
      await image.decode().catch(() => loaded.delete(file)); // a frame that did not come is asked for once more
      if (turn !== asked) return; // another setting was chosen meanwhile
    }
    first.parentNode.querySelectorAll(".over").forEach(old => old !== image && old.remove());
    if (image && !image.parentNode) first.after(image);
    first.alt = data.texts[number];
  }

  const fetchAll = () => data.files.forEach(file => file && frame(file));

  controls.forEach((control, moved) => {
    write(control, data.start[moved], data.names[moved]); // browsers keep what was set before a reload
    control.addEventListener("input", () => {
      write(control, read(control), data.names[moved]);
      if (data.star[moved]) controls.forEach((other, i) =>
        data.star[i] && i !== moved && write(other, data.start[i], data.names[i]));
      show();
    });
  });
  figure.querySelector(".controls").hidden = false;
  new IntersectionObserver((entries, observer) => {
    if (!entries.some(entry => entry.isIntersecting)) return;
    observer.disconnect();
    fetchAll();
  }, {rootMargin: "300px"}).observe(figure);
}

// What is wider than the page scrolls in a box of its own, which then takes the keyboard's focus.
function letScroll() {
  document.querySelectorAll(".formula, .long, pre, .report, .table-wrapper, .drawn, .frame").forEach(box => {
    if (box.scrollWidth > box.clientWidth + 1) {
      box.tabIndex = 0;
      if (!box.hasAttribute("role")) { box.setAttribute("role", "group"); box.setAttribute("aria-label", "scrolls sideways"); }
    } else if (box.getAttribute("aria-label") === "scrolls sideways") {
      ["tabindex", "role", "aria-label"].forEach(name => box.removeAttribute(name));
    }
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("figure.explorer").forEach(explorer);
  letScroll();
  addEventListener("resize", letScroll);
  document.querySelectorAll("details").forEach(part => part.addEventListener("toggle", letScroll));
});
