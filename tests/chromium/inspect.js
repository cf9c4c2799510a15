// What is looked at in a page, beside axe. It is put into every page before its own scripts.
"use strict";

window.looks = (() => {
  const INTERACTIVE = "a[href], area[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1']), [role=button], [role=link]";
  const name = (element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 110);
  const isShown = (element) => element.checkVisibility({ checkVisibilityCSS: true }) && element.getClientRects().length > 0;
  const isOff = (element) => element.disabled || element.closest("fieldset:disabled, [inert]") !== null;
  const interactive = () => [...document.querySelectorAll(INTERACTIVE)].filter((e) => isShown(e) && !isOff(e));
  const isChosen = (radio) => radio.checked || ![...document.getElementsByName(radio.name)].some((other) => other.checked);
  const stops = () => interactive().filter((e) => e.tabIndex >= 0 && (e.type !== "radio" || isChosen(e)));

  // What a focus may change: the element itself, its label, what is around it.
  const appearance = (element) => [element, ...(element.labels ?? []), element.parentElement].map((part) => {
    const style = getComputedStyle(part);
    return [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor, style.backgroundColor, style.top].join();
  }).join("|");

  const overflow = () => {
    const { scrollWidth } = document.documentElement;
    return scrollWidth > innerWidth ? [`is ${scrollWidth} wide at ${innerWidth}: ${widest()}`] : [];
  };
  const widest = () => {
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1);
    return wide.length ? name(wide.at(-1)) : "";
  };

  // WCAG 2.5.8: 24 pixels, or as much room around the middle; but for what stands in a line of text.
  const TARGET = 24;
  const isInline = (element) => getComputedStyle(element).display === "inline";
  const small = () => {
    const boxes = interactive().map((element) => [element, (element.closest("label") ?? element).getBoundingClientRect()]);
    return boxes.filter(([element, box]) => {
      if (Math.min(box.width, box.height) >= TARGET - 0.5 || isInline(element)) return false;
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      return boxes.some(([other, near]) => other !== element && !other.contains(element) && !element.contains(other) &&
        Math.hypot(Math.max(near.left - x, 0, x - near.right), Math.max(near.top - y, 0, y - near.bottom)) < TARGET / 2);
    }).map(([element]) => `is a target of less than 24 pixels: ${name(element)}`);
  };

  const unreachable = () => {
    const wrong = interactive().filter((element) => element.tabIndex < 0 || element.tabIndex > 0);
    const clickable = [...document.body.querySelectorAll("*")].filter((element) => isShown(element) &&
      getComputedStyle(element).cursor === "pointer" && !element.closest(`${INTERACTIVE}, label`));
    return [...wrong, ...clickable].map((element) => `is not reached by Tab: ${name(element)}`);
  };

  // The browser shows the focus as for a keyboard once a key was pressed.
  const focus = () => {
    const problems = [];
    document.activeElement.blur();
    for (const element of stops()) {
      const before = appearance(element);
      element.focus();
      if (document.activeElement !== element) problems.push(`takes no focus: ${name(element)}`);
      else if (appearance(element) === before) problems.push(`does not show its focus: ${name(element)}`);
      else if (isHidden(element)) problems.push(`is hidden while it has the focus: ${name(element)}`);
      element.blur();
    }
    scrollTo(0, 0);
    return problems;
  };
  const isHidden = (element) => {
    const own = [element, ...(element.labels ?? [])];
    return !own.flatMap((part) => [...part.getClientRects()]).some((box) => [0.1, 0.5, 0.9].some((share) => {
      const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
      const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
      const hit = document.elementFromPoint(left + (right - left) * share, (top + bottom) / 2);
      return hit && own.some((part) => part.contains(hit) || hit.contains(part));
    }));
  };

  // For the walk: each stop has a number, and those that had the focus are noted.
  let visited = new Set();
  addEventListener("focusin", (event) => visited.add(event.target));
  const begin = () => {
    document.activeElement.blur();
    visited = new Set();
    const all = stops();
    return all.length + 8 * all.filter((element) => /date|time/.test(element.type)).length;
  };
  const missed = () => stops().filter((element) => !visited.has(element)).map((e) => `was passed by Tab: ${name(e)}`);

  // The whole page; or in less time what stands beside the sections, without its colours.
  const violations = async (isWhole) => {
    const within = isWhole ? document : document.querySelector("main") ?? document;
    const rules = { "color-contrast": { enabled: isWhole } };
    const found = await axe.run(within, { resultTypes: ["violations"], rules });
    return found.violations.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.html.slice(0, 110)).join(" ; ").slice(0, 300)}`);
  };

  // Colours that are on their way from one theme to another would be measured in between.
  const still = new CSSStyleSheet();
  still.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
  document.adoptedStyleSheets.push(still);

  return { overflow, small, unreachable, focus, begin, missed, violations };
})();
