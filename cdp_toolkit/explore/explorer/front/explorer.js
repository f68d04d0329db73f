// The explorer's view. It holds no rule of its own: what is done goes to Python as a message, what comes back is drawn.

const TYPING_MS = 150;
const COUNTED = ["count", "sum", "average", "min", "max"];
const QUANTITIES = { exists: "at least one", forall: "all", count: "number of rows", sum: "sum of", average: "average of", min: "least", max: "greatest" };
const PERIODS = ["this", "last", "next"];

function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class" || name.startsWith("aria-") || name.startsWith("data-") || ["role", "for", "list", "title"].includes(name)) node.setAttribute(name, value);
    else if (value !== undefined) node[name] = value;
  }
  node.append(...children.flat().filter((each) => each !== null && each !== undefined && each !== false));
  return node;
}

function select(label, value, options, onpick, extra = {}) {
  const groups = new Map();
  for (const each of options) {
    if (!groups.has(each.group ?? "")) groups.set(each.group ?? "", []);
    groups.get(each.group ?? "").push(h("option", { value: each.value, title: each.help ?? "" }, each.label));
  }
  const nodes = [...groups].map(([name, several]) => (name ? h("optgroup", { label: name }, several) : several)).flat();
  const found = h("select", { "aria-label": label, onchange: (event) => onpick(event.target.value), ...extra }, nodes);
  found.value = value;
  return found;
}

// What is typed is sent after a pause, or before anything else is.
function typed(view, key, act) {
  clearTimeout(view.typing.get(key)?.timer);
  view.typing.set(key, { act, timer: setTimeout(() => say(view, key), TYPING_MS) });
}

function say(view, key) {
  const { act, timer } = view.typing.get(key);
  clearTimeout(timer);
  view.typing.delete(key);
  view.saying = key;
  act();
  view.saying = null;
}

function input(view, key, label, value, act, extra = {}) {
  const node = h("input", { "aria-label": label, "data-key": key, value: value ?? "", ...extra });
  node.addEventListener("input", () => typed(view, key, () => act(node.value)));
  node.addEventListener("change", () => { typed(view, key, () => act(node.value)); say(view, key); });
  return node;
}

// A number is typed into a field of text: a browser tells no caret of a number field, and without it a redraw scatters what is typed.
function numeric(view, key, label, value, act) {
  const width = `${Math.max(2, String(value ?? "").length) + 4}ch`;
  const node = input(view, key, label, value, act, { type: "text", inputMode: "decimal", class: "numeric", autocomplete: "off" });
  node.style.width = width;
  return node;
}

const number = (text) => (text === "" || Number.isNaN(Number(text)) ? null : Number(text));
const short = (value) => (typeof value === "number" ? value.toLocaleString("en", { maximumFractionDigits: 2 }) : value ?? "");

// Values of a condition, by what its operator takes

function values(view, row) {
  const key = `${row.at}`, set = (...given) => view.send({ do: "values", at: row.at, values: given });
  const units = view.words.units.map((unit) => ({ value: unit, label: `${unit}s` }));
  switch (row.takes) {
    case "text": return [suggested(view, row, row.values[0] ?? "", (text) => set(text))];
    case "texts": case "numbers": return [chips(view, row)];
    case "number": return [numeric(view, `${key}:0`, "Value", row.values[0], (text) => set(number(text)))];
    case "range": return [0, 1].map((place) => [place ? " and " : "", numeric(view, `${key}:${place}`, place ? "Highest" : "Lowest", row.values[place],
      (text) => { row.values[place] = number(text); set(...row.values); })]).flat();
    case "truth": return [select("Value", String(row.values[0] ?? true), [{ value: "true", label: "true" }, { value: "false", label: "false" }], (value) => set(value === "true"))];
    case "day": return [input(view, `${key}:0`, "Day", row.values[0], (text) => set(text), { type: "date" })];
    case "days": return [0, 1].map((place) => [place ? " and " : "", input(view, `${key}:${place}`, place ? "Last day" : "First day", row.values[place],
      (text) => { row.values[place] = text; set(...row.values); }, { type: "date" })]).flat();
    case "distance": return [
      numeric(view, `${key}:0`, "How many", row.values[0] ?? 30, (text) => set(number(text), row.values[1] ?? "day")),
      select("Unit", row.values[1] ?? "day", units, (unit) => set(row.values[0] ?? 30, unit), { "data-key": `${key}:unit` })];
    case "period": return [
      select("Which", row.values[0] ?? "this", PERIODS.map((each) => ({ value: each, label: each })), (which) => set(which, row.values[1] ?? "month")),
      select("Unit", row.values[1] ?? "month", units.map((each) => ({ ...each, label: each.value })), (unit) => set(row.values[0] ?? "this", unit))];
    default: return [];
  }
}

function suggested(view, row, value, act, extra = {}) {
  const key = `${row.at}:0`, id = `${view.id}-list-${row.at.join("-")}`;
  const list = h("datalist", { id });
  view.lists.set(String(row.at), list);
  const node = input(view, key, "Value", value, act, { type: "text", list: id, class: "wide", placeholder: "value", autocomplete: "off", ...extra });
  const ask = () => view.send({ do: "suggest", at: row.at, typed: node.value });
  node.addEventListener("focus", ask);
  node.addEventListener("input", () => typed(view, `${key}:list`, ask));
  return h("span", { class: "value" }, node, list);
}

function chips(view, row) {
  const isNumber = row.takes === "numbers";
  const set = (given) => view.send({ do: "values", at: row.at, values: given });
  const add = (text) => {
    const value = isNumber ? number(text) : text.trim();
    if (value === null || value === "" || row.values.includes(value)) return;
    view.focus = `${row.at}:0`;
    field.value = "";
    set([...row.values, value]);
  };
  const box = suggested(view, row, "", () => {}, { placeholder: row.values.length ? "another" : "value", "aria-label": "Add a value", class: "chip-input" });
  const field = box.querySelector("input");
  field.addEventListener("change", () => add(field.value));
  field.addEventListener("input", (event) => { if (event.inputType === "insertReplacementText" || !event.inputType) add(field.value); });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === ",") { event.preventDefault(); add(field.value); }
    if (event.key === "Backspace" && !field.value && row.values.length) { view.focus = `${row.at}:0`; set(row.values.slice(0, -1)); }
  });
  return h("span", { class: "chips" }, row.values.map((value) =>
    h("span", { class: "chip" }, short(value), h("button", { type: "button", "aria-label": `Remove ${value}`, onclick: () => set(row.values.filter((each) => each !== value)) }, "×"))), box);
}

// Rows

function tools(view, row) {
  const move = (by) => view.send({ do: "move", at: row.at, by });
  return h("span", { class: "tools" },
    h("button", { type: "button", class: row.negated ? "not on" : "not", "aria-pressed": row.negated, title: "Turn into its opposite",
      "data-key": `${row.at}:not`, onclick: () => view.send({ do: "negate", at: row.at, negated: !row.negated }) }, "not"),
    h("button", { type: "button", "aria-label": "Move up", title: "Move up (Alt+↑)", "data-key": `${row.at}:up`, onclick: () => move(-1) }, "↑"),
    h("button", { type: "button", "aria-label": "Move down", title: "Move down (Alt+↓)", "data-key": `${row.at}:down`, onclick: () => move(1) }, "↓"),
    row.kind === "step" ? null : h("button", { type: "button", "aria-label": "Put into a group", title: "Put into a group", "data-key": `${row.at}:wrap`, onclick: () => view.send({ do: "wrap", at: row.at }) }, "( )"),
    h("button", { type: "button", class: "remove", "aria-label": "Remove", title: "Remove (Alt+Delete)", "data-key": `${row.at}:remove`, onclick: () => view.send({ do: "remove", at: row.at }) }, "×"));
}

function line(view, row, ...content) {
  const node = h("div", { class: `line ${row.is_done ? "" : "undone"} ${row.negated ? "negated" : ""}`, role: "group", "aria-label": row.kind, "data-at": row.at.join(".") },
    row.negated ? h("span", { class: "no" }, "not") : null, ...content, tools(view, row));
  node.addEventListener("keydown", (event) => {
    const done = { ArrowUp: { do: "move", by: -1 }, ArrowDown: { do: "move", by: 1 }, Delete: { do: "remove" } }[event.key];
    if (!event.altKey || !done) return;
    event.preventDefault(); event.stopPropagation();
    view.send({ ...done, at: row.at });
  });
  return node;
}

function comparison(view, row) {
  const fields = view.words.entities[row.about].fields.map((each) => ({ value: each.path, label: each.label, group: each.group, help: each.help }));
  const known = row.path && fields.some((each) => each.value === row.path);
  if (!known) fields.unshift({ value: "", label: row.field_text });
  const operators = view.words.operators[row.type].map((each) => ({ value: each.name, label: each.label }));
  return line(view, row,
    select("Field", known ? row.path : "", fields, (path) => path && view.send({ do: "field", at: row.at, path }), { class: "field", "data-key": `${row.at}:field`, title: row.field_text }),
    select("Operator", row.operator, operators, (name) => view.send({ do: "operator", at: row.at, name }), { class: "operator", "data-key": `${row.at}:operator` }),
    ...values(view, row));
}

function segment(view, row) {
  const set = (change) => view.send({ do: "segment", at: row.at, ...change });
  const names = ["", ...view.words.segments[row.about] ?? []].map((each) => ({ value: each, label: each || "choose a segment" }));
  if (row.name && !names.some((each) => each.value === row.name)) names.push({ value: row.name, label: row.name });
  const functions = [["inSegment", "is in"], ["enteredSegment", "entered"], ["exitedSegment", "left"]].map(([value, label]) => ({ value, label }));
  return line(view, row,
    select("Membership", row.function, functions, (value) => set({ function: value, ...(value === "inSegment" ? { within: "" } : {}) }), { "data-key": `${row.at}:function` }),
    select("Segment", row.name, names, (name) => set({ name }), { "data-key": `${row.at}:name` }),
    row.function === "inSegment" ? null : input(view, `${row.at}:within`, "Within", row.within, (within) => set({ within }), { placeholder: "ever, or 7 days", class: "short-text" }));
}

function text(view, row) {
  const area = h("textarea", { rows: 2, "aria-label": "Condition as text", "data-key": `${row.at}:text`, spellcheck: false, value: row.text, placeholder: "any condition in the Profile Query Language" });
  area.addEventListener("input", () => typed(view, `${row.at}:text`, () => view.send({ do: "text", at: row.at, text: area.value })));
  return h("div", {}, line(view, row, h("span", { class: "tag" }, "text"), area), row.error ? h("pre", { class: "error" }, row.error) : null);
}

function join(view, row) {
  if (row.parts.length < 2) return null;
  return h("button", { type: "button", class: "join", "data-key": `${row.at}:join`, title: "Switch between and, or", "aria-label": `Joined by ${row.joined}`,
    onclick: () => view.send({ do: "join", at: row.at, joined: row.joined === "and" ? "or" : "and" }) }, row.joined);
}

function adders(view, row, kinds) {
  const labels = { comparison: "+ Condition", event: "+ Event", related: "+ Related", sequence: "+ Sequence", segment: "+ Segment", group: "+ Group", text: "+ Text", step: "+ Step" };
  const about = view.words.entities[row.entity];
  const offered = kinds.filter((kind) => (kind !== "event" && kind !== "sequence" || about.events) && (kind !== "segment" || view.words.segments[row.entity]) && (kind !== "related" || about.relations.length));
  return h("div", { class: "adders" }, offered.map((kind) => h("button", { type: "button", "data-key": `${row.at}:add:${kind}`,
    onclick: () => { view.focus = `${[...row.at, row.parts.length]}:field`; view.send({ do: "add", at: row.at, kind }); } }, labels[kind])));
}

const ANY = ["comparison", "event", "related", "sequence", "segment", "group", "text"];

function parts(view, row, kinds = ANY) {
  return h("div", { class: "parts", "data-joined": row.joined, role: "group", "aria-label": row.joined === "or" ? "one of" : "all of" },
    join(view, row), row.parts.map((each) => h("div", { class: "part" }, drawn(view, each))), adders(view, row, kinds));
}

function group(view, row) {
  return h("div", { class: "block" }, line(view, row, h("span", { class: "tag" }, row.joined === "or" ? "one of" : "all of")), parts(view, row));
}

function related(view, row) {
  const about = view.words.entities, inside = about[row.entity];
  const owner = Object.values(about).find((each) => each.relations.some((one) => one.path === row.relation && one.to === row.entity));
  const options = (view.words.entities[view.owner(row)] ?? owner ?? { relations: [] }).relations.map((each) => ({ value: each.path, label: each.label, help: each.help }));
  const known = options.some((each) => each.value === row.relation);
  if (!known) options.unshift({ value: "", label: row.relation_text });
  const set = (change) => view.send({ do: "quantity", at: row.at, ...change });
  const { kind, operator, amount, of } = row.quantity, isCounted = COUNTED.includes(kind);
  const numbers = inside.fields.filter((each) => each.kind === "number" && !each.path.includes("."));
  return h("div", { class: "block" }, line(view, row,
    select("Relation", known ? row.relation : "", options, (path) => path && view.send({ do: "relation", at: row.at, path }), { class: "field", "data-key": `${row.at}:field` }),
    select("How many", kind, Object.entries(QUANTITIES).map(([value, label]) => ({ value, label })), (value) => set({ kind: value }), { "data-key": `${row.at}:quantity` }),
    isCounted && kind !== "count" ? select("Of", of.split(".").pop(), numbers.map((each) => ({ value: each.path, label: each.label })), (value) => set({ of: value }), { "data-key": `${row.at}:of` }) : null,
    isCounted ? select("Compared", operator, ["=", "!=", ">=", ">", "<=", "<"].map((each) => ({ value: each, label: each })), (value) => set({ operator: value }), { "data-key": `${row.at}:compared` }) : null,
    isCounted ? numeric(view, `${row.at}:amount`, "Number", amount, (value) => number(value) !== null && set({ amount: number(value) })) : null,
    h("span", { class: "soft" }, row.parts.length ? "of which" : ""),
  ), parts(view, row));
}

function step(view, row, before) {
  const wait = row.wait, set = (change) => view.send({ do: "step", at: row.at, wait, count: row.count, ...change });
  const units = view.words.units.map((unit) => ({ value: unit, label: `${unit}s` }));
  const waits = [{ value: "", label: "at any time later" }, ...before.map((label) => ({ value: label, label: `after ${label}` }))];
  return h("div", { class: "block" }, remark(row), line(view, row, h("span", { class: "tag" }, row.label),
    before.length ? select("Counting from", wait?.after ?? "", waits, (after) => set({ wait: after ? { operator: wait?.operator ?? "<=", amount: wait?.amount ?? 7, unit: wait?.unit ?? "day", after } : null }), { "data-key": `${row.at}:after` }) : h("span", { class: "soft" }, "first"),
    wait ? [select("Distance", wait.operator, ["<=", "<", ">=", ">"].map((each) => ({ value: each, label: each })), (operator) => set({ wait: { ...wait, operator } })),
      numeric(view, `${row.at}:wait`, "How many", wait.amount, (value) => number(value) !== null && set({ wait: { ...wait, amount: number(value) } })),
      select("Unit", wait.unit, units, (unit) => set({ wait: { ...wait, unit } }))] : null,
    h("span", { class: "soft" }, "times ≥"), numeric(view, `${row.at}:count`, "How often", row.count ?? 1, (value) => set({ count: number(value) > 1 ? number(value) : null }))),
  parts(view, row, ["comparison", "group", "text"]));
}

function sequence(view, row) {
  const labels = row.parts.map((each) => each.label);
  return h("div", { class: "block" }, line(view, row, h("span", { class: "tag" }, "in this order"), h("span", { class: "soft" }, row.relation_text)),
    h("div", { class: "parts", role: "list" }, row.parts.map((each, place) => step(view, each, labels.slice(0, place))), adders(view, row, ["step"])));
}

const DRAWN = { comparison, insegment: segment, text, group, related, sequence };
const remark = (row) => (row.comment ? h("div", { class: "comment", title: "a comment in the text" }, row.comment) : null);
const drawn = (view, row) => (row.comment ? h("div", {}, remark(row), DRAWN[row.kind](view, row)) : DRAWN[row.kind](view, row));

// What is to be seen

function bars(title, rows, of, act) {
  const most = Math.max(1, ...rows.map((each) => each.count));
  const share = (count) => `${(100 * count / Math.max(of, 1)).toFixed(count * 10 < of ? 1 : 0)} %`;
  return h("section", { class: "facet" }, h("h4", {}, title), rows.length ? null : h("p", { class: "soft" }, "nobody"),
    rows.map((each) => h(act && each.value !== null ? "button" : "div", {
      class: each.is_chosen ? "bar chosen" : "bar", ...(act && each.value !== null ? { type: "button", "aria-pressed": !!each.is_chosen, onclick: () => act(each.value), "data-key": `bar:${title}:${each.value}` } : {}),
      title: `${each.value ?? "unknown"}: ${each.count.toLocaleString("en")}${each.size === undefined ? "" : ` of its ${each.size.toLocaleString("en")}`}, ${share(each.count)} of the audience` },
    h("span", { class: "name" }, each.label ?? each.value ?? "(unknown)"), h("span", { class: "count" }, each.count.toLocaleString("en")),
    h("span", { class: "fill" }, h("i", { style: `width:${Math.max(1, 100 * each.count / most)}%` })))));
}

function size(view, sight) {
  if (sight.count === undefined) return [h("b", { class: "big" }, "–")];
  const is_exact = sight.exact !== null && sight.exact !== undefined, plural = view.words.entities[view.state.entity].plural;
  const shown = is_exact ? sight.exact : sight.count;
  return [
    h("b", { class: "big" }, `${is_exact ? "" : "≈ "}${shown.toLocaleString("en")}`),
    h("span", {}, ` of ${sight.total.toLocaleString("en")} ${plural}, ${(100 * shown / Math.max(sight.total, 1)).toFixed(1)} %`),
    h("div", { class: "soft" }, is_exact ? "counted exactly" : `estimated: ${sight.interval[0].toLocaleString("en")} to ${sight.interval[1].toLocaleString("en")}`,
      sight.chosen !== sight.count ? ` · ${sight.chosen.toLocaleString("en")} with the filters` : ""),
    is_exact ? null : h("div", { class: "counting soft" }, counting(view)),
  ];
}

// How far the exact count has come

function counting(view) {
  const { state, share, error } = view.counted, percent = `${Math.floor(100 * (share ?? 0))} %`;
  const again = h("button", { type: "button", "data-key": "count", onclick: () => view.send({ do: "count" }) }, "Count exactly");
  switch (state) {
    case "counting": return [
      h("progress", { max: 1, value: share || undefined, "aria-label": "counted exactly so far" }), share ? ` counting exactly: ${percent} ` : " counting exactly … ",
      h("button", { type: "button", "data-key": "stop", onclick: () => view.send({ do: "stop" }) }, "Stop")];
    case "stopped": return [share ? `stopped at ${percent} ` : "stopped ", again];
    case "failed": return [`not counted: ${error} `, again];
    default: return [];
  }
}

function seen(view) {
  const sight = view.sight, filters = (sight.facets ?? []).some((facet) => facet.rows.some((each) => each.is_chosen));
  const cells = (sight.people ?? []).map((row) => h("tr", {}, row.map((cell) => h("td", {}, short(cell)))));
  return [
    h("div", { class: "size", role: "status", "aria-live": "polite", "aria-busy": view.busy }, size(view, sight)),
    sight.method ? h("div", { class: "method", title: sight.method[1] }, h("span", { class: "tag" }, sight.method[0]), h("span", { class: "soft" }, sight.method[1])) : null,
    sight.clauses?.length && view.state.text.trim() ? h("table", { class: "clauses" }, h("tr", {}, ["condition", "meet it", "it removes"].map((each) => h("th", {}, each))),
      sight.clauses.map((each) => h("tr", {}, h("td", {}, h("code", { title: each.text }, each.text)), h("td", {}, each.passes.toLocaleString("en")), h("td", {}, each.removes.toLocaleString("en"))))) : null,
    h("div", { class: "bar-head" }, h("h3", {}, "What it is made of"), h("span", { class: "soft" }, "choose values to filter the other charts"),
      filters ? h("button", { type: "button", class: "keep", "data-key": "keep", onclick: () => view.send({ do: "keep" }) }, "Add the filters to the rule") : null),
    h("div", { class: "facets" }, (sight.facets ?? []).map((facet) => bars(facet.label, facet.rows, sight.chosen, (value) => view.send({ do: "filter", path: facet.path, value }))),
      sight.overlaps?.length ? bars("Also in", sight.overlaps.map((each) => ({ value: each.segment, count: each.both, size: each.size })), sight.chosen) : null),
    cells.length ? [h("h3", {}, "Some of them, masked"), h("div", { class: "scroll" }, h("table", { class: "people" }, h("tr", {}, sight.columns.map((each) => h("th", {}, each.replaceAll("_", " ")))), cells))] : null,
  ];
}

// A field that is typed in keeps what is typed, such as 1. on its way to 1.5, unless something else was done since.
function keepFocus(view, root, draw) {
  const held = root.contains(document.activeElement) ? document.activeElement : null;
  const key = held?.dataset.key, value = held?.value, wanted = view.focus;
  let range = null;
  try { range = held && [held.selectionStart, held.selectionEnd]; } catch { range = null; }
  draw();
  const again = [wanted, key].filter(Boolean).map((each) => root.querySelector(`[data-key="${CSS.escape(each)}"]`)).find(Boolean);
  if (!again) return;
  const isSame = again.dataset.key === key;
  if (isSame && (view.typing.has(key) || view.said === key)) again.value = value;
  again.focus({ preventScroll: true });
  try { if (range && isSame) again.setSelectionRange(...range); } catch { /* a field without a caret */ }
}

const ASIDE = ["suggest", "stop", "count"]; // change no rule

// Draws at once, but for what is pressed meanwhile: a button that is drawn anew between down and up is never clicked.
function calm(el) {
  const due = new Set(), ended = new AbortController(), first = { capture: true, signal: ended.signal };
  let isPressed = false;
  const release = () => setTimeout(() => { isPressed = false; const draws = [...due]; due.clear(); draws.forEach((draw) => draw()); });
  el.addEventListener("pointerdown", (event) => { isPressed = !event.target.closest("select"); }, first);
  ["pointerup", "pointercancel"].forEach((name) => window.addEventListener(name, release, first));
  window.addEventListener("blur", release, { signal: ended.signal }); // of the window, not of a field in it
  return { drawing: (draw) => () => (isPressed ? due.add(draw) : draw()), end: () => ended.abort() };
}

function render({ model, el }) {
  const id = `cdp-${Math.random().toString(36).slice(2)}`;
  const view = {
    id, lists: new Map(), focus: null, typing: new Map(), saying: null, said: null, sent: 0,
    send(message) {
      if (ASIDE.includes(message.do)) return model.send(message);
      const saying = this.saying;
      [...this.typing.keys()].forEach((key) => say(this, key));
      this.said = saying;
      model.send({ ...message, number: [id, ++this.sent] });
    },
    get words() { return model.get("vocabulary"); }, get state() { return model.get("state"); },
    get sight() { return model.get("sight"); }, get busy() { return model.get("is_busy"); }, get counted() { return model.get("count"); },
    owner(row) { // the entity of the row that a relation starts from
      let here = this.state.rows, entity = this.state.rows.entity;
      for (const place of row.at) { entity = here.entity ?? entity; here = here.parts[place]; }
      return entity;
    },
  };
  el.classList.add("cdp-explorer");
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // keys are for the explorer, not for the notebook around it
  const head = h("div", { class: "head" }), rule = h("div", { class: "rule" }), written = h("div", { class: "written" }), sight = h("div", { class: "seen" });
  el.append(head, h("div", { class: "columns" }, h("div", { class: "left" }, rule, written), sight));

  const area = h("textarea", { class: "pql", "aria-label": "The rule as text (Profile Query Language)", "data-key": "pql", spellcheck: false, placeholder: "everybody: add a condition above, or write one here" });
  const error = h("pre", { class: "error", role: "alert" });
  area.addEventListener("input", () => { fit(); typed(view, "pql", () => view.send({ do: "type", text: area.value })); });
  const fit = () => { area.style.height = "auto"; area.style.height = `${Math.max(64, area.scrollHeight + 2)}px`; };
  written.append(h("h3", {}, "The same as text"), area, error);

  const drawHead = () => {
    const { name, description, entity, notice } = view.state;
    head.replaceChildren(
      h("span", { class: "entities", role: "group", "aria-label": "What the members are" }, ["person", "account"].map((each) => h("button", { type: "button", class: each === entity ? "on" : "", "aria-pressed": each === entity, "data-key": `entity:${each}`,
        onclick: () => each !== entity && view.send({ do: "turn", entity: each }) }, view.words.entities[each].plural))),
      input(view, "name", "Name of the segment", name, (value) => view.send({ do: "about", name: value }), { placeholder: "name_of_the_segment", class: "name-input", type: "text" }),
      input(view, "description", "Description", description, (value) => view.send({ do: "about", description: value }), { placeholder: "what it is, in a sentence", class: "description", type: "text" }),
      h("button", { type: "button", "data-key": "undo", title: "Take the last change back", onclick: () => view.send({ do: "undo" }) }, "Undo"),
      h("button", { type: "button", class: "primary", "data-key": "save", onclick: () => view.send({ do: "save" }) }, "Save"),
      h("span", { class: notice.startsWith("Not") ? "notice bad" : "notice", role: "status" }, notice));
  };
  const drawRule = () => {
    view.lists.clear();
    rule.classList.toggle("stale", !!view.state.error);
    rule.replaceChildren(h("h3", {}, "Who is in"), parts(view, view.state.rows));
    if (document.activeElement !== area && area.value !== view.state.text) area.value = view.state.text;
    error.textContent = view.state.error;
    area.classList.toggle("bad", !!view.state.error);
    fit();
  };
  const { drawing, end } = calm(el);
  const isOld = () => view.state.heard?.[0] === id && view.state.heard[1] < view.sent; // what was done since is still on its way
  const draws = {
    state: drawing(() => { if (isOld()) return; keepFocus(view, el, () => { drawHead(); drawRule(); }); view.focus = null; }),
    sight: drawing(() => keepFocus(view, el, () => { sight.replaceChildren(...seen(view).flat().filter(Boolean)); })),
    count: drawing(() => keepFocus(view, el, () => { sight.querySelector(".counting")?.replaceChildren(...counting(view)); })),
    is_busy: () => el.classList.toggle("busy", view.busy),
  };
  draws.vocabulary = draws.state;
  const heard = (message) => {
    const list = message.suggested && view.lists.get(String(message.at));
    if (list) list.replaceChildren(...message.suggested.map((each) => h("option", { value: each })));
  };
  Object.entries(draws).forEach(([name, draw]) => model.on(`change:${name}`, draw));
  model.on("msg:custom", heard);
  [draws.state, draws.sight, draws.is_busy].forEach((draw) => draw());
  requestAnimationFrame(fit);
  return () => {
    Object.entries(draws).forEach(([name, draw]) => model.off(`change:${name}`, draw));
    model.off("msg:custom", heard);
    end();
  };
}

export default { render };
